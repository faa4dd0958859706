// One message of the wire: a kind, the envelope that every message has, and the fields of its kind.
#pragma once

#include <cstring>
#include <stdexcept>

#include "plain.hpp"

namespace tandem {

static_assert(sizeof(double) == 8, "the wire carries IEEE 754 doubles");

struct Message {
    std::string kind;
    Map fields;
    std::string session;
    std::uint64_t epoch = 0, lease = 0, seq = 0, t = 0;

    // A field by its name and type; its presence and type were checked by `decode`.
    std::uint64_t whole(std::string_view name) const { return get<std::uint64_t>(name); }
    bool flag(std::string_view name) const { return get<bool>(name); }
    const std::string& words(std::string_view name) const { return get<std::string>(name); }
    const Array& array(std::string_view name) const { return get<Array>(name); }
    const Map& map(std::string_view name) const { return get<Map>(name); }
    std::vector<double> reals(std::string_view name) const {
        const std::string& bytes = get<Bytes>(name).data;
        std::vector<double> numbers(bytes.size() / sizeof(double));
        std::memcpy(numbers.data(), bytes.data(), bytes.size());
        return numbers;
    }

  private:
    template <class T>
    const T& get(std::string_view name) const {
        const Plain* found = find(fields, name);
        if (!found) throw std::logic_error(kind + " has no field " + std::string(name));
        return std::get<T>(found->value);
    }
};

// Doubles as a message carries them; every machine that this is built for is little-endian, as the wire.
template <class Numbers>
Bytes reals(const Numbers& numbers) {
    return {std::string(reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof(double))};
}

}  // namespace tandem
