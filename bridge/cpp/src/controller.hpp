// The controller itself: a deterministic machine with no socket, no clock and no thread.
//
// Frames go in with the time at which they are looked at, measurements go in once a tick, messages and a setpoint come
// out. bridge/controller/core.py is the same in Python.
#pragma once

#include <optional>
#include <vector>

#include "lease.hpp"
#include "motion.hpp"
#include "situation.hpp"
#include "traffic.hpp"

namespace tandem {

class Controller {
  public:
    // hello: what `welcome` tells besides: ports, security, about.
    Controller(const Limits& limits, Stamp& stamp, Map hello);
    Controller(const Controller&) = delete;

    // Looks at one frame; the answer is in the next tick's messages.
    void receive(const Incoming& incoming, Ns now);

    struct Tick {
        std::optional<Setpoint> setpoint;  // for the driver
        bool stop;                         // the driver's own stop is wanted
        std::vector<Outgoing> out;
    };
    // One turn of the servo loop. late, worst: turns that came late so far, and the latest of them.
    Tick tick(Ns now, const Measured& measured, std::uint64_t late, Ns worst);

    void failed(const std::string& words, Ns now);     // the driver raised
    void shut_down(const std::string& words, Ns now);  // stop the arm and take no more commands
    void note_servo(Map figures) { servo_ = std::move(figures); }
    bool standing() const { return motion_.standing(); }

  private:
    void handle(const Incoming& incoming, const Message& message);
    void hello(const Incoming& incoming, const Message& message);
    void acquire(const Incoming& incoming, const Message& message);
    void grant(const Lease& lease, const std::string& route, std::uint64_t request, const std::string& why);
    void renew(const Incoming& incoming, const Message& message);
    void release(const Incoming& incoming, const Message& message);
    void clear(const Incoming& incoming, const Message& message);
    void status(const Incoming& incoming, const Message& message);
    void reset(const Incoming& incoming, const Message& message);
    void chunk(const Incoming& incoming, const Message& message);
    void stop(const Incoming& incoming, const Message& message);
    void hear(Lease& lease);

    void watch_loop(Ns now);
    void watch_arm(Ns now, const Measured& measured);
    void become_ready(Ns now, const Measured& measured);
    void watch_lease(Ns now);
    void end_lease(const std::string& words);
    void watch_chunk(Ns now);
    void settle();
    void halt(const char* stage, const char* code, const std::string& words);
    void fault(std::string_view code, const std::string& words);
    void drop(std::string_view code, const std::string& words);

    void send(Port port, const std::string& route, const char* kind, Map fields);
    void answer(const Incoming& to, const Message& request, const char* kind, Map fields);
    void tell_event(const char* what, const std::string& detail, Map data);
    void report(const Report& report);
    void tell_state(const Measured& measured, std::size_t index);
    std::uint64_t token() const { return leases_.holder ? leases_.holder->token : 0; }

    const Limits limits_;
    Stamp& stamp_;
    const Map hello_;
    Leases leases_;
    Situation situation_;
    Motion motion_;
    std::vector<Outgoing> out_;
    Ns now_ = 0;
    std::uint64_t inputs_ = 0, late_ = 0;
    Ns worst_ = 0;
    std::optional<Ns> last_tick_;
    std::optional<Ns> deserted_;  // when silence interrupted a motion
    bool stopped_ = false;        // the driver has been told
    Map servo_;
};

}  // namespace tandem
