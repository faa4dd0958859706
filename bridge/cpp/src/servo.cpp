#include "servo.hpp"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "door.hpp"

namespace tandem {
namespace {

constexpr int frames_per_turn = 16;  // of each door: what is left waits for the next turn
constexpr int priority = 50;         // of SCHED_FIFO, where it is permitted
constexpr int figures_every = 50;    // turns

std::string come_first() {
    sched_param wanted{};
    wanted.sched_priority = priority;
    const bool permitted = pthread_setschedparam(pthread_self(), SCHED_FIFO, &wanted) == 0;
    return permitted ? "SCHED_FIFO " + std::to_string(priority) : "SCHED_OTHER (not permitted more)";
}

// What a driver gives is looked at once: NaN would pass every later check, and a time of another clock never gets old.
Measured looked_at(const Measured& measured) {
    const auto finite = [](const auto& values) {
        return std::all_of(values.begin(), values.end(), [](double value) { return std::isfinite(value); });
    };
    if (!finite(measured.position) || !finite(measured.velocity) || !finite(measured.tool) ||
        !std::isfinite(measured.opening))
        throw DriverFault("read gave a number that is not finite");
    if (measured.t > monotonic_now())
        throw DriverFault("read gave a time that is yet to come: ns of the steady_clock are wanted");
    return measured;
}

// Adds the time until it goes to a sum.
class Watch {
  public:
    explicit Watch(Ns& sum) : sum_(sum), begin_(monotonic_now()) {}
    Watch(const Watch&) = delete;
    ~Watch() { sum_ += monotonic_now() - begin_; }

  private:
    Ns& sum_;
    const Ns begin_;
};

// Keeps every processor from sleeping for as long as it lives, where that is permitted: waking one takes up to
// milliseconds on a busy host.
class Awake {
  public:
    Awake() : wish_(open(device, O_WRONLY | O_CLOEXEC)) {
        constexpr std::int32_t microseconds = 0;
        if (wish_ >= 0) permitted_ = write(wish_, &microseconds, sizeof microseconds) == sizeof microseconds;
    }
    Awake(const Awake&) = delete;
    ~Awake() {
        if (wish_ >= 0) close(wish_);
    }
    std::string words() const {
        return permitted_ ? "kept awake" : std::string("may sleep (") + device + " not permitted)";
    }

  private:
    static constexpr const char* device = "/dev/cpu_dma_latency";
    int wish_;
    bool permitted_ = false;
};

// Stops the arm whatever happens: when an exception leaves the loop, too.
class StopAtTheEnd {
  public:
    explicit StopAtTheEnd(Driver& driver) : driver_(driver) {}
    StopAtTheEnd(const StopAtTheEnd&) = delete;
    ~StopAtTheEnd() {
        try {
            driver_.stop();
        } catch (const DriverFault&) {
            // it cannot be reached any more, and stops by itself
        }
    }

  private:
    Driver& driver_;
};

}  // namespace

Servo::Servo(Driver& driver, const Limits& limits, Stamp& stamp, Map hello, Sockets sockets)
    : driver_(driver), period_(ns(1 / limits.tick_hz)), jitter_(period_), controller_(limits, stamp, std::move(hello)),
      sockets_(std::move(sockets)) {}

void Servo::run(const std::function<void()>& turning) {
    const StopAtTheEnd stop(driver_);
    const Awake awake;
    scheduling_ = come_first() + ", processors " + awake.words();
    Ns deadline = monotonic_now();
    bool told = false;
    for (std::uint64_t turns = 0; !(told && controller_.standing()); ++turns) {
        deadline = std::max(deadline + period_, monotonic_now() - period_);
        std::this_thread::sleep_until(std::chrono::steady_clock::time_point(std::chrono::nanoseconds(deadline)));
        const Ns now = monotonic_now();
        jitter_.turn(now);
        if (turns % figures_every == 0) controller_.note_servo(figures());
        if (quitting_ && !told) {
            controller_.shut_down("the controller is shut down", now);
            told = true;
        }
        turn(now);
        if (turns == 0) turning();
    }
}

Map Servo::figures() {
    Map told = jitter_.to_wire(scheduling_);
    const Ns turns = std::max<Ns>(std::exchange(reads_, 0), 1);
    told.emplace_back("driver_us", seconds(std::exchange(busy_, 0)) * 1e6 / static_cast<double>(turns));
    return told;
}

void Servo::turn(Ns now) {
    for (const Port port : {Port::stop, Port::control, Port::command}) take(port, now);
    try {
        measured_ = looked_at(read());
    } catch (const DriverFault& reason) {
        controller_.failed(reason.what(), now);
    }
    if (!measured_) return;
    const Controller::Tick tick = controller_.tick(now, *measured_, jitter_.late(), jitter_.worst());
    carry_out(tick, now);
    for (const Outgoing& outgoing : tick.out)
        if (outgoing.port == Port::state) publish(outgoing);
        else send(sockets_.pipes[index(outgoing.port)], outgoing);
}

Measured Servo::read() {
    const Watch watch(busy_);
    ++reads_;
    return driver_.read();
}

void Servo::take(Port port, Ns now) {
    Incoming incoming{};
    for (int i = 0; i < frames_per_turn && receive(sockets_.pipes[index(port)], incoming); ++i) {
        controller_.receive(incoming, now);
        if (monotonic_now() - now > period_ / 4) return;  // large ones: the arm comes first
    }
}

void Servo::carry_out(const Controller::Tick& tick, Ns now) {
    owes_stop_ = owes_stop_ || tick.stop;
    try {
        if (owes_stop_) {
            driver_.stop();
            owes_stop_ = false;  // one that failed is owed at the next turn, too
        } else if (tick.setpoint) {
            const Watch watch(busy_);
            driver_.write(*tick.setpoint);
        }
    } catch (const DriverFault& reason) {
        controller_.failed(reason.what(), now);
    }
}

void Servo::publish(const Outgoing& outgoing) {
    sockets_.state.send(zmq::buffer(outgoing.route), zmq::send_flags::sndmore | zmq::send_flags::dontwait);
    sockets_.state.send(zmq::buffer(outgoing.frame), zmq::send_flags::dontwait);
}

}  // namespace tandem
