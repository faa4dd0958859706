#include "door.hpp"

#include <zmq_addon.hpp>

namespace tandem {
namespace {

constexpr int batch = 32;  // messages read in one go
constexpr std::size_t most_peers = 1024;

bool send_frames(zmq::socket_t& socket, std::initializer_list<std::string_view> frames) {
    std::vector<zmq::const_buffer> buffers;
    for (const std::string_view frame : frames) buffers.push_back(zmq::buffer(frame));
    return zmq::send_multipart(socket, buffers, zmq::send_flags::dontwait).has_value();
}

bool receive_frames(zmq::socket_t& socket, std::vector<zmq::message_t>& frames) {
    frames.clear();
    return zmq::recv_multipart(socket, std::back_inserter(frames), zmq::recv_flags::dontwait).has_value();
}

}  // namespace

bool Rate::allows(const std::string& identity, Ns now) {
    if (left_.size() > most_peers) left_.clear();
    Left& left = left_.try_emplace(identity, Left{per_second_, now}).first->second;
    left.messages = std::min(per_second_, left.messages + seconds(now - left.at) * per_second_);
    left.at = now;
    const bool allowed = left.messages >= 1;
    left.messages = std::max(left.messages - 1, 0.0);
    return allowed;
}

Door::Door(Port port, zmq::socket_t router, zmq::socket_t pipe, const Security& security, Stamp& stamp,
           double per_second)
    : port_(port), router_(std::move(router)), pipe_(std::move(pipe)), security_(security), stamp_(stamp),
      rate_(per_second), worker_([this] { turn(); }) {}

void Door::turn() {
    std::array<zmq::pollitem_t, 2> items{{{router_, 0, ZMQ_POLLIN, 0}, {pipe_, 0, ZMQ_POLLIN, 0}}};
    zmq::poll(items, std::chrono::milliseconds(Worker::poll_ms));
    if (items[0].revents & ZMQ_POLLIN) let_in();
    std::vector<zmq::message_t> frames;
    while (receive_frames(pipe_, frames)) send(frames.at(0).to_string(), frames.at(1).to_string());
}

void Door::let_in() {
    std::vector<zmq::message_t> frames;
    for (int i = 0; i < batch && receive_frames(router_, frames); ++i) {
        const std::optional<Peer> peer = security_.peer_of(frames.front(), frames.back());
        Incoming incoming{port_, frames.front().to_string(), peer.value_or(Peer{}), frames.back().to_string()};
        try {
            look(incoming, peer, frames.size());
            if (!answer_ping(incoming) && !tandem::send(pipe_, incoming))
                throw Refused(refusal::BUSY, "the controller does not keep up");
        } catch (const Refused& refused) {
            send(incoming.route, stamp_.refusal(incoming, 0, refused, monotonic_now()).frame);
        }
    }
}

void Door::look(Incoming& incoming, const std::optional<Peer>& peer, std::size_t frames) {
    if (!peer) throw Refused(refusal::UNAUTHENTICATED, "the key of this connection is not on the allow-list");
    if (!rate_.allows(peer->identity, monotonic_now()))
        throw Refused(refusal::BUSY, "more messages per second than are looked at");
    if (frames != 2)
        throw Refused(refusal::MALFORMED, std::to_string(frames - 1) + " frames; a message is one frame");
    if (incoming.frame.size() > max_frame)
        throw Refused(refusal::OVERSIZED, std::to_string(incoming.frame.size()) + " bytes, at most " +
                                              std::to_string(max_frame) + " are read");
}

// A ping is about the network and the clock, and is answered here: in the servo it would wait for the next turn.
bool Door::answer_ping(const Incoming& incoming) {
    if (port_ != Port::control || incoming.frame.substr(0, 40).find("\xa4ping") == std::string::npos) return false;
    const Ns received = monotonic_now();
    try {
        const Message message = decode(incoming.frame);
        if (message.kind != "ping") return false;
        send(incoming.route, stamp_.message(port_, incoming.route, "pong",
                                            {{"id", message.whole("id")}, {"received", received}}, monotonic_now())
                                 .frame);
        return true;
    } catch (const Refused&) {
        return false;  // refused where every message is
    }
}

void Door::send(const std::string& route, const std::string& frame) {
    try {
        send_frames(router_, {route, frame});
    } catch (const zmq::error_t&) {
        // the connection that asked is gone: its own loss
    }
}

bool send(zmq::socket_t& pipe, const Incoming& incoming) {
    const Peer& peer = incoming.peer;
    return send_frames(pipe, {name(incoming.port), incoming.route, peer.identity, name(peer.role), peer.name,
                              incoming.frame});
}

bool send(zmq::socket_t& pipe, const Outgoing& outgoing) { return send_frames(pipe, {outgoing.route, outgoing.frame}); }

bool receive(zmq::socket_t& pipe, Incoming& incoming) {
    std::vector<zmq::message_t> frames;
    if (!receive_frames(pipe, frames)) return false;
    for (std::size_t i = 0; i < port_names.size(); ++i)
        if (frames.at(0).to_string_view() == port_names[i]) incoming.port = static_cast<Port>(i);
    incoming.route = frames.at(1).to_string();
    incoming.peer = {frames.at(2).to_string(), role_named(frames.at(3).to_string_view()).value(),
                     frames.at(4).to_string()};
    incoming.frame = frames.at(5).to_string();
    return true;
}

}  // namespace tandem
