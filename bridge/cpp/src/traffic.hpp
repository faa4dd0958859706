// What goes into the controller and comes out of it: frames with who sent them, and where to.
#pragma once

#include <atomic>

#include "codec.hpp"
#include "kinds.hpp"
#include "peer.hpp"
#include "units.hpp"

namespace tandem {

struct Incoming {
    Port port;
    std::string route;  // the ROUTER's name for the connection: where an answer goes
    Peer peer;
    std::string frame;
};

struct Outgoing {
    Port port;
    std::string route;  // on a PUB the topic
    std::string frame;
};

// Stamps the envelope. One count for each socket, whichever thread writes.
class Stamp {
  public:
    explicit Stamp(std::string session) : session_(std::move(session)) {}

    const std::string& session() const { return session_; }

    Outgoing message(Port port, std::string route, std::string kind, Map fields, Ns now, std::uint64_t epoch = 0,
                     std::uint64_t lease = 0) {
        const std::uint64_t seq = ++counts_[index(port)];
        const Message message{std::move(kind), std::move(fields), session_, epoch, lease, seq,
                              static_cast<std::uint64_t>(now)};
        return {port, std::move(route), encode(message)};
    }

    Outgoing refusal(const Incoming& to, std::uint64_t number, const Refused& refused, Ns now, std::uint64_t epoch = 0,
                     std::uint64_t lease = 0) {
        Map fields{{"id", number}, {"code", refused.reason.code}, {"detail", brief(refused.detail, 1000)},
                   {"remedy", refused.reason.remedy}};
        return message(to.port, to.route, "refused", std::move(fields), now, epoch, lease);
    }

  private:
    std::string session_;
    std::array<std::atomic<std::uint64_t>, port_names.size()> counts_{};
};

}  // namespace tandem
