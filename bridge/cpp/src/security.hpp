// Who is at the other end: CURVE with an allow-list, or plain on loopback and nowhere else.
//
// The identity of a peer is the key that its connection was authenticated with, read off every frame; nothing that a
// message says of itself counts. On plain loopback every process of this computer is let in with one role.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <zmq.hpp>

#include "peer.hpp"
#include "worker.hpp"

namespace tandem {

bool is_loopback(const std::string& host);

class Security {
  public:
    static Security plain() { return Security(); }
    // A folder with `controller.key_secret` and `allowed.toml` (launch/keys.py makes it). Throws std::runtime_error.
    static Security curve(const std::filesystem::path& folder);

    const char* name() const { return secret_.empty() ? "plain" : "curve"; }
    void serve(zmq::socket_t& socket) const;  // before it is bound
    std::optional<Peer> peer_of(const zmq::message_t& route, zmq::message_t& frame) const;
    bool lets_in(const std::string& key) const { return allowed_.count(key) > 0; }

  private:
    Security() = default;
    std::string public_, secret_;          // z85
    std::map<std::string, Peer> allowed_;  // by public key
};

// Answers libzmq's questions about those who connect (ZAP, https://rfc.zeromq.org/spec/27), in a thread of its own.
// Make it before any socket is bound: without it libzmq would let every key in.
class Zap {
  public:
    Zap(zmq::context_t& context, const Security& security);

  private:
    void answer();
    const Security& security_;
    zmq::socket_t socket_;
    Worker worker_;
};

}  // namespace tandem
