// The five sockets of a controller, bound, guarded and bounded; and the pairs between its threads.
#pragma once

#include <zmq.hpp>

#include "kinds.hpp"
#include "limits.hpp"
#include "security.hpp"

namespace tandem {

// An IPv6 address as an endpoint holds it; any other host as it is.
inline std::string bracketed(const std::string& host) {
    return host.find(':') != std::string::npos && host.front() != '[' ? "[" + host + "]" : host;
}

inline zmq::socket_t bind(zmq::context_t& context, Port port, const std::string& host, int first_port,
                          const Security& security) {
    constexpr std::array<int, port_names.size()> high_water{100, 16, 5000, 60, 16};
    const bool publishes = port == Port::state || port == Port::media;
    zmq::socket_t socket(context, publishes ? zmq::socket_type::pub : zmq::socket_type::router);
    socket.set(zmq::sockopt::linger, 0);
    socket.set(zmq::sockopt::sndhwm, high_water[index(port)]);
    socket.set(zmq::sockopt::rcvhwm, high_water[index(port)]);
    // libzmq closes a connection beyond; above max_frame a message is refused with a reason
    socket.set(zmq::sockopt::maxmsgsize, std::int64_t{16 * max_frame});
    // TCP's own keepalive, not ZMTP's heartbeats: with those libzmq aborts at a high-water mark (bridge/security.py)
    socket.set(zmq::sockopt::tcp_keepalive, 1);
    socket.set(zmq::sockopt::tcp_keepalive_idle, 2);
    socket.set(zmq::sockopt::tcp_keepalive_intvl, 1);
    socket.set(zmq::sockopt::tcp_keepalive_cnt, 3);
    if (!publishes) socket.set(zmq::sockopt::router_mandatory, true);
    security.serve(socket);
    const std::string number = first_port ? std::to_string(first_port + static_cast<int>(index(port))) : "*";
    socket.set(zmq::sockopt::ipv6, host.find(':') != std::string::npos);
    const std::string endpoint = "tcp://" + bracketed(host) + ":" + number;
    try {
        socket.bind(endpoint);
    } catch (const zmq::error_t& reason) {
        throw std::runtime_error("cannot bind " + endpoint + ": " + reason.what() +
                                 "; choose another --bind or --port");
    }
    return socket;
}

inline int tcp_port(const zmq::socket_t& socket) {
    const std::string endpoint = socket.get(zmq::sockopt::last_endpoint);
    return std::stoi(endpoint.substr(endpoint.rfind(':') + 1));
}

// Two ends of a pair between two threads of this process.
inline std::pair<zmq::socket_t, zmq::socket_t> connected_pair(zmq::context_t& context, const std::string& name) {
    const auto end = [&] {
        zmq::socket_t socket(context, zmq::socket_type::pair);
        socket.set(zmq::sockopt::linger, 0);
        socket.set(zmq::sockopt::sndhwm, 1000);
        socket.set(zmq::sockopt::rcvhwm, 1000);
        return socket;
    };
    std::pair ends(end(), end());
    ends.first.bind("inproc://" + name);
    ends.second.connect("inproc://" + name);
    return ends;
}

}  // namespace tandem
