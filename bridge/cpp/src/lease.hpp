// One commander at a time: leases with a fencing token that only grows. A token that was once superseded is never valid
// again, whatever arrives late.
#pragma once

#include <algorithm>
#include <deque>
#include <optional>

#include "codec.hpp"
#include "peer.hpp"
#include "units.hpp"

namespace tandem {

struct Lease {
    std::uint64_t token;
    Peer peer;
    std::string name;  // what the holder calls itself
    Ns heard;          // when it was last heard of
    std::optional<std::uint64_t> seq;  // of its last command
};

// Somebody who waits for the lease, and the request to answer when it is theirs.
struct Standby {
    Peer peer;
    std::string name, route;
    std::uint64_t request;
    Ns renewed;
};

class Leases {
  public:
    explicit Leases(Ns life) : life_(life) {}

    std::optional<Lease> holder;

    Lease& acquire(const Peer& peer, const std::string& name, Ns now, bool force) {
        if (holder && !force) throw Refused(refusal::LEASE_TAKEN, holder->name + " holds the lease");
        if (force && peer.role != Role::supervisor)
            throw Refused(refusal::FORBIDDEN, "taking over needs the role supervisor, this key is " +
                                                  std::string(tandem::name(peer.role)));
        forget([&](const Standby& other) { return same(other, peer, name); });
        return holder.emplace(Lease{++token_, peer, name, now, std::nullopt});
    }

    // The place in line, 1 for next. Asking again keeps the place.
    std::size_t wait(Standby waiting) {
        forget([&](const Standby& other) { return gone(other, waiting.renewed); });
        for (std::size_t i = 0; i < line_.size(); ++i)
            if (same(line_[i], waiting.peer, waiting.name)) {
                line_[i] = std::move(waiting);
                return i + 1;
            }
        if (line_.size() == longest_line) throw Refused(refusal::BUSY, "8 commanders wait already");
        line_.push_back(std::move(waiting));
        return line_.size();
    }

    // The lease that a message claims to hold.
    Lease& check(const Peer& peer, std::uint64_t token) {
        if (token == 0) throw Refused(refusal::NO_LEASE, "the message names no lease");
        if (!holder || token != holder->token)
            throw Refused(refusal::STALE_LEASE, "lease " + std::to_string(token) + " has ended; " +
                                                    (holder ? holder->name : "nobody") + " holds the lease");
        if (peer.identity != holder->peer.identity)
            throw Refused(refusal::STALE_LEASE, "lease " + std::to_string(token) + " belongs to another key");
        return *holder;
    }

    bool expired(Ns now) const { return holder && now - holder->heard > life_; }

    // Whose turn it is; those who have not asked again within the life of a lease have gone.
    std::optional<Standby> next_in_line(Ns now) {
        while (!line_.empty()) {
            Standby waiting = std::move(line_.front());
            line_.pop_front();
            if (!gone(waiting, now)) return waiting;
        }
        return std::nullopt;
    }

  private:
    static bool same(const Standby& waiting, const Peer& peer, const std::string& name) {
        return waiting.peer.identity == peer.identity && waiting.name == name;
    }
    bool gone(const Standby& waiting, Ns now) const { return now - waiting.renewed > life_; }
    template <typename Which>
    void forget(Which which) {
        line_.erase(std::remove_if(line_.begin(), line_.end(), which), line_.end());
    }

    static constexpr std::size_t longest_line = 8;
    Ns life_;
    std::uint64_t token_ = 0;
    std::deque<Standby> line_;
};

}  // namespace tandem
