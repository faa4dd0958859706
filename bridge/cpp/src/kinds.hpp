// Every kind of message: which socket carries it, and its fields in the order in which they are written.
// The same table as bridge/wire/kinds.py.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace tandem {

enum class Port { control, command, state, media, stop };
inline constexpr std::array<std::string_view, 5> port_names{"control", "command", "state", "media", "stop"};
constexpr std::size_t index(Port port) { return static_cast<std::size_t>(port); }
constexpr std::string_view name(Port port) { return port_names[index(port)]; }

enum class Type { whole, flag, words, names, wholes, reals, map, any };

struct Field {
    std::string_view name;
    Type type;
};
using Fields = std::vector<Field>;

inline constexpr std::uint64_t protocol_version = 1;

const Fields& envelope();
const Fields* fields_of(std::string_view kind);  // null: there is no such kind
bool towards_controller(Port port, std::string_view kind);

}  // namespace tandem
