// What moves: the reference of the present chunk, shaped into setpoints; and whether the arm follows them.
#pragma once

#include <optional>
#include <vector>

#include "checks.hpp"
#include "limiter.hpp"
#include "track.hpp"

namespace tandem {

class Motion {
  public:
    explicit Motion(const Limits& limits)
        : tick_(ns(1 / limits.tick_hz)), error_(limits.following_error), lasting_(ns(limits.following_s)) {
        for (std::size_t i = 0; i < spec::dof; ++i) {
            joints_.emplace_back(spec::position_low[i], spec::position_high[i], spec::velocity_limit[i],
                                 spec::acceleration_limit[i], spec::jerk_limit[i], 1 / limits.tick_hz);
            joints_[i].rest_at(spec::home[i]);
        }
    }

    const Chunk* chunk() const { return track_ ? &track_->chunk() : nullptr; }
    bool standing() const {
        return std::all_of(joints_.begin(), joints_.end(), [](const Limiter& joint) { return joint.standing(); });
    }

    // Whether the setpoint stands at the last action of its chunk.
    bool arrived() const {
        constexpr double near = 1e-5;
        for (std::size_t i = 0; i < spec::dof; ++i)
            if (std::abs(joints_[i].position() - joints_[i].clamped(chunk()->rows.back()[i])) > near) return false;
        return standing();
    }

    Setpoint setpoint() const {
        Setpoint now;
        for (std::size_t i = 0; i < spec::dof; ++i) {
            now.position[i] = joints_[i].position();
            now.velocity[i] = joints_[i].velocity();
            now.acceleration[i] = joints_[i].acceleration();
        }
        now.opening = opening_;
        return now;
    }

    // Takes note of a measurement; whether the arm has been put elsewhere since the last one.
    bool see(const Measured& measured) {
        const bool moved = measured_ && measured_->generation != measured.generation;
        measured_ = measured;
        return moved;
    }

    // Forgets the track; the setpoint is where the arm was measured, at rest.
    void start_anew() {
        track_.reset();
        strays_since_.reset();
        if (!measured_) return;
        for (std::size_t i = 0; i < spec::dof; ++i) joints_[i].rest_at(measured_->position[i]);
        opening_ = std::clamp(measured_->opening, 0.0, 1.0);
    }

    // Which joint was measured outside its range, "" for none. Sensors and stops give a little.
    std::string out_of_range() const {
        constexpr double slack = 0.02;
        for (std::size_t i = 0; i < spec::dof; ++i) {
            const double q = measured_->position[i], low = spec::position_low[i], high = spec::position_high[i];
            if (!(q >= low - slack && q <= high + slack))
                return format("%s stands at %.4f, outside [%.4f, %.4f]", spec::joint_names[i].data(), q, low, high);
        }
        return "";
    }

    void check_standing_start() const {
        constexpr double standing_share = 0.05;  // of its greatest velocity: sensors are noisy
        if (!measured_) throw Refused(refusal::NOT_READY, "the arm has not been measured yet");
        for (std::size_t i = 0; i < spec::dof; ++i)
            if (const double speed = std::abs(measured_->velocity[i]); speed > standing_share * spec::velocity_limit[i])
                throw Refused(refusal::MOVING, format("%s still moves at %.3f", spec::joint_names[i].data(), speed));
        const std::string words = measured_->fault.empty() ? out_of_range() : measured_->fault;
        if (!words.empty()) throw Refused(refusal::INVALID, "the cause is still there: " + words);
    }

    // Says which joint has been too far from its setpoint for too long, "" when all follow.
    std::string strays(Ns now) {
        for (std::size_t i = 0; i < spec::dof; ++i) {
            const double error = std::abs(joints_[i].position() - measured_->position[i]);
            if (error <= error_) continue;
            if (now - strays_since_.value_or(now) > lasting_)
                return format("%s is %.3f from its setpoint", spec::joint_names[i].data(), error);
            strays_since_ = strays_since_.value_or(now);
            return "";
        }
        strays_since_.reset();
        return "";
    }

    // From where the reference is now, goes on along this chunk.
    void splice(Chunk chunk, Ns now) {
        Row start{};
        for (std::size_t i = 0; i < spec::dof; ++i) start[i] = joints_[i].position();
        start[spec::dof] = opening_;
        track_ = Track(std::move(chunk), now, start, track_ ? &*track_ : nullptr);
    }

    void forget_track() { track_.reset(); }

    // One tick; the index of the action gone to.
    std::size_t advance(Ns now, std::vector<Report>& reports) {
        if (!track_) {
            for (Limiter& joint : joints_) joint.stop();
            held_back_ = {};
            return 0;
        }
        const Reference reference = track_->sample(now + tick_);
        for (std::size_t i = 0; i < spec::dof; ++i) {
            const bool held_back =
                joints_[i].follow(reference.position[i], reference.velocity[i], reference.acceleration[i]);
            if (held_back && !held_back_[i])
                reports.push_back({"shaping", "braked",
                                   format("%s brakes for its range's end", spec::joint_names[i].data()),
                                   chunk()->number});
            held_back_[i] = held_back;
        }
        opening_ = std::clamp(reference.position[spec::dof], 0.0, 1.0);
        return reference.index;
    }

  private:
    Ns tick_;
    double error_;  // rad, between setpoint and measurement
    Ns lasting_;
    std::vector<Limiter> joints_;
    double opening_ = 1.0;
    std::optional<Measured> measured_;
    std::optional<Track> track_;
    std::optional<Ns> strays_since_;
    std::array<bool, spec::dof> held_back_{};
};

}  // namespace tandem
