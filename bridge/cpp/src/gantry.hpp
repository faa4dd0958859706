// An arm without physics: it is wherever its last setpoint was. The gripper takes its time. The shortest driver.
#pragma once

#include <algorithm>

#include "driver.hpp"

namespace tandem {

class Gantry final : public Driver {
  public:
    Measured read() override {
        const Ns now = monotonic_now();
        const double reach = gripper_rate * std::min(1.0, seconds(now - last_));
        opening_ += std::clamp(now_.opening - opening_, -reach, reach);
        last_ = now;
        const Joints& at = now_.position;
        return {at, now_.velocity, opening_, {at[0], at[1], at[2], 0, 1, 0, 0}, now, 0, ""};
    }

    void write(const Setpoint& setpoint) override { now_ = setpoint; }

    void stop() override { now_.velocity = now_.acceleration = {}; }

    Map about() const override { return {{"driver", "gantry"}, {"language", "C++"}, {"physics", "none"}}; }

  private:
    static constexpr double gripper_rate = 4.0;  // openings per second
    Setpoint now_{spec::home, {}, {}, 1.0};
    double opening_ = 1.0;
    Ns last_ = monotonic_now();
};

}  // namespace tandem
