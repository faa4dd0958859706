// All that a controller asks of an arm. Write one of these for yours, and a specification (make_spec.py).
#pragma once

#include <array>
#include <stdexcept>
#include <string>

#include "arm_spec.hpp"
#include "plain.hpp"
#include "units.hpp"

namespace tandem {

using Joints = std::array<double, spec::dof>;   // rad, or m for sliding joints
using Row = std::array<double, spec::dof + 1>;  // joints, then the opening of the gripper: 0 closed to 1 open

struct Measured {
    Joints position{}, velocity{};
    double opening = 0;
    std::array<double, 7> tool{};  // x y z in m, quaternion w x y z, in the base frame
    Ns t = 0;                      // when; one that does not advance means that the arm is silent
    std::uint64_t generation = 0;  // counts the times that the arm was put elsewhere
    std::string fault;             // what the arm itself reports (protective stop, ...), empty when all is well
};

struct Setpoint {
    Joints position{}, velocity{}, acceleration{};
    double opening = 0;
};

// The arm cannot be reached. The controller stops it and latches DRIVER_FAULT.
struct DriverFault : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// Every call returns within half a tick; what takes longer is the driver's to do in a thread of its own.
class Driver {
  public:
    virtual ~Driver() = default;
    // The newest measurement; throws DriverFault.
    virtual Measured read() = 0;
    // Sends a setpoint; throws DriverFault. When no more come, the arm must stop by itself.
    virtual void write(const Setpoint& setpoint) = 0;
    // The declared stop behaviour, now; setpoints count again from the next `write`.
    virtual void stop() = 0;
    // Plain facts for people: model, firmware, serial number.
    virtual Map about() const = 0;
};

}  // namespace tandem
