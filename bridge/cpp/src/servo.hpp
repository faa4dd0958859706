// The servo loop: a thread that owns the driver, the controller and the state socket, and waits for nobody.
#pragma once

#include <atomic>
#include <functional>
#include <vector>

#include "controller.hpp"
#include "driver.hpp"
#include "jitter.hpp"
#include "security.hpp"

namespace tandem {

class Servo {
  public:
    struct Sockets {
        zmq::socket_t state;                                // the bound PUB
        std::array<zmq::socket_t, port_names.size()> pipes;  // to the doors: control, command and stop
    };

    Servo(Driver& driver, const Limits& limits, Stamp& stamp, Map hello, Sockets sockets);

    // Turns until `quit` and the arm stands; `turning` is called after the first turn. The driver is stopped on every
    // way out, a mistake in this program included.
    void run(const std::function<void()>& turning);
    void quit() { quitting_ = true; }

  private:
    Map figures();
    void turn(Ns now);
    Measured read();
    void take(Port port, Ns now);
    void carry_out(const Controller::Tick& tick, Ns now);
    void publish(const Outgoing& outgoing);

    Driver& driver_;
    const Ns period_;
    Jitter jitter_;
    Controller controller_;
    Sockets sockets_;
    std::string scheduling_;
    std::optional<Measured> measured_;
    bool owes_stop_ = false;
    Ns busy_ = 0, reads_ = 0;  // what the driver took of the turns since the last figures, and how many they were
    std::atomic<bool> quitting_{false};
};

}  // namespace tandem
