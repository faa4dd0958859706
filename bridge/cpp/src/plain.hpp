// What msgpack can say without extensions: the values that messages are made of.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace tandem {

struct Plain;
using Array = std::vector<Plain>;
using Map = std::vector<std::pair<std::string, Plain>>;  // in the order in which it is written

struct Bytes {
    std::string data;
};

struct Plain {
    std::variant<std::monostate, bool, std::uint64_t, std::int64_t, double, std::string, Bytes, Array, Map> value;

    Plain() = default;
    Plain(bool v) : value(v) {}
    Plain(int v) : Plain(std::int64_t{v}) {}
    Plain(double v) : value(v) {}
    Plain(std::uint64_t v) : value(v) {}
    Plain(std::int64_t v) {
        if (v < 0) value = v;
        else value = static_cast<std::uint64_t>(v);
    }
    Plain(const char* v) : value(std::string(v)) {}
    Plain(std::string_view v) : value(std::string(v)) {}
    Plain(std::string v) : value(std::move(v)) {}
    Plain(Bytes v) : value(std::move(v)) {}
    Plain(Array v) : value(std::move(v)) {}
    Plain(Map v) : value(std::move(v)) {}
};

inline const Plain* find(const Map& map, std::string_view name) {
    for (const auto& [key, value] : map)
        if (key == name) return &value;
    return nullptr;
}

}  // namespace tandem
