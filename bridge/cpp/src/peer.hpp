// Who may do what. A role comes with an authenticated key, never with a message.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "refusal.hpp"

namespace tandem {

enum class Role { observer, commander, supervisor };  // each may do all that those before it may
inline constexpr std::array<std::string_view, 3> role_names{"observer", "commander", "supervisor"};
constexpr std::string_view name(Role role) { return role_names[static_cast<std::size_t>(role)]; }

inline std::optional<Role> role_named(std::string_view text) {
    for (const Role role : {Role::observer, Role::commander, Role::supervisor})
        if (text == name(role)) return role;
    return std::nullopt;
}

struct Peer {
    std::string identity;  // the public key of the connection; on plain loopback what the process calls itself
    Role role = Role::observer;
    std::string name;
};

inline void authorise(const Peer& peer, std::string_view kind) {
    Role needed = Role::observer;
    if (kind == "clear") needed = Role::supervisor;
    for (const std::string_view other : {"acquire", "renew", "release", "reset", "step", "chunk"})
        if (kind == other) needed = Role::commander;
    if (peer.role < needed)
        throw Refused(refusal::FORBIDDEN, std::string(kind) + " needs the role " + std::string(name(needed)) + ", " +
                                              peer.name + " is " + std::string(name(peer.role)));
}

}  // namespace tandem
