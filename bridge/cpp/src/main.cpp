// A controller: binds the sockets, starts the threads, and ends cleanly when it is told to.
#include <csignal>
#include <future>
#include <iomanip>
#include <iostream>
#include <memory>
#include <random>
#include <sstream>

#include "camera.hpp"
#include "door.hpp"
#include "gantry.hpp"
#include "options.hpp"
#include "servo.hpp"
#include "sockets.hpp"

namespace tandem {
namespace {

// Text that no other start of a controller has.
std::string new_session() {
    std::random_device random;
    std::ostringstream text;
    for (int i = 0; i < 2; ++i) text << std::hex << std::setw(8) << std::setfill('0') << random();
    return text.str();
}

// In this thread and in those it starts; only `sigwait` hears of them.
sigset_t block_signals() {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    return signals;
}

Security security_for(const Options& options) {
    if (options.keys) return Security::curve(*options.keys);
    if (!is_loopback(options.bind))
        throw std::runtime_error(options.bind + " can be reached from outside this computer: give --keys FOLDER (make "
                                                "one: python launch/keys.py init), or bind 127.0.0.1");
    return Security::plain();
}

void run(const Options& options) {
    const sigset_t signals = block_signals();
    const Security security = security_for(options);
    zmq::context_t context;
    std::optional<Zap> zap;
    if (options.keys) zap.emplace(context, security);
    const auto bound = [&](Port port) { return bind(context, port, options.bind, options.port, security); };
    auto control = bound(Port::control), command = bound(Port::command), state = bound(Port::state),
         media = bound(Port::media), stop = bound(Port::stop);
    const int control_port = tcp_port(control);
    const Map ports{{"control", control_port}, {"command", tcp_port(command)}, {"state", tcp_port(state)},
                    {"media", tcp_port(media)}, {"stop", tcp_port(stop)}};

    Stamp stamp(new_session());
    const Limits limits;
    Servo::Sockets ends{std::move(state), {}};
    const auto door = [&](Port port, zmq::socket_t& router) {
        auto [here, there] = connected_pair(context, std::string(name(port)));
        ends.pipes[index(port)] = std::move(there);
        return std::make_unique<Door>(port, std::move(router), std::move(here), security, stamp, limits.requests_per_s);
    };
    const std::array doors{door(Port::control, control), door(Port::command, command), door(Port::stop, stop)};
    const FlatCameras cameras(std::move(media), stamp.session());

    Gantry gantry;
    const Map hello{{"ports", ports}, {"security", security.name()}, {"about", gantry.about()}};
    Servo servo(gantry, limits, stamp, hello, std::move(ends));
    std::promise<void> turning;
    auto ended = std::async(std::launch::async, [&] {
        bool turns = false;
        try {
            servo.run([&] { turning.set_value(); turns = true; });
        } catch (...) {
            if (!turns) turning.set_exception(std::current_exception());
            kill(getpid(), SIGTERM);  // wakes the main thread, which then hears why
            throw;
        }
    });
    turning.get_future().get();
    std::cout << "ready gantry at tcp://" << bracketed(options.bind) << ":" << control_port << ", session " << stamp.session()
              << std::endl;
    int signal = 0;
    sigwait(&signals, &signal);
    servo.quit();
    ended.get();
}

}  // namespace
}  // namespace tandem

int main(int count, char** words) {
    try {
        tandem::run(tandem::Options::parse(count, words));
        return 0;
    } catch (const std::exception& reason) {
        std::cerr << "tandem-controller: " << reason.what() << std::endl;
        return 2;
    }
}
