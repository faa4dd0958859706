#include "codec.hpp"

#include <algorithm>
#include <cmath>
#include <msgpack.hpp>
#include <optional>

#include "kinds.hpp"
#include "refusal.hpp"

namespace tandem {
namespace {

constexpr std::size_t max_words = 4096, max_names = 64, max_depth = 32, max_pairs = 256;
constexpr std::size_t max_elements = 256, max_elements_of_large = 4096;  // room is made as soon as a length is read
constexpr std::uint64_t max_whole = (std::uint64_t{1} << 63) - 1;

[[noreturn]] void malformed(const std::string& detail) { throw Refused(refusal::MALFORMED, detail); }

// Characters of a text in UTF-8 (RFC 3629); none when it is no UTF-8.
std::optional<std::size_t> characters(std::string_view text) {
    std::size_t count = 0;
    for (std::size_t i = 0; i < text.size(); ++count) {
        const auto byte = [&](std::size_t k) { return static_cast<unsigned char>(text[k]); };
        const unsigned lead = byte(i);
        const std::size_t length = lead < 0x80   ? 1
                                   : lead < 0xC2 ? 0  // goes on from before, or overlong
                                   : lead < 0xE0 ? 2
                                   : lead < 0xF0 ? 3
                                   : lead < 0xF5 ? 4
                                                 : 0;
        if (length == 0 || i + length > text.size()) return {};
        for (std::size_t k = i + 1; k < i + length; ++k)
            if ((byte(k) & 0xC0) != 0x80) return {};
        const unsigned second = length > 2 ? byte(i + 1) : 0;  // overlong, a surrogate, or beyond U+10FFFF
        if ((lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F) || (lead == 0xF0 && second < 0x90) ||
            (lead == 0xF4 && second > 0x8F))
            return {};
        i += length;
    }
    return count;
}

std::string text_of(const msgpack::object& object) {
    if (object.type != msgpack::type::STR) malformed("a key that is no text");
    const std::string_view text(object.via.str.ptr, object.via.str.size);
    if (!characters(text)) malformed("a text that is no UTF-8");
    return std::string(text);
}

Plain to_plain(const msgpack::object& object) {
    switch (object.type) {
    case msgpack::type::NIL: return {};
    case msgpack::type::BOOLEAN: return object.via.boolean;
    case msgpack::type::POSITIVE_INTEGER: return std::uint64_t{object.via.u64};
    case msgpack::type::NEGATIVE_INTEGER: return std::int64_t{object.via.i64};
    case msgpack::type::FLOAT32:
    case msgpack::type::FLOAT64: return object.via.f64;
    case msgpack::type::STR: return text_of(object);
    case msgpack::type::BIN: return Bytes{{object.via.bin.ptr, object.via.bin.size}};
    case msgpack::type::ARRAY: {
        Array array;
        for (std::size_t i = 0; i < object.via.array.size; ++i) array.push_back(to_plain(object.via.array.ptr[i]));
        return array;
    }
    case msgpack::type::MAP: {
        Map map;
        for (std::size_t i = 0; i < object.via.map.size; ++i) {
            const auto& [key, value] = object.via.map.ptr[i];
            std::string name = text_of(key);
            if (find(map, name)) malformed("the key " + brief(name) + " comes twice");
            map.emplace_back(std::move(name), to_plain(value));
        }
        return map;
    }
    default: malformed("an extension type");
    }
}

// Sizes are bounded before anything is made of them; a map that says of itself that it is huge costs nothing.
Map unpack(std::string_view frame) {
    const std::size_t elements = frame.size() > max_frame ? max_elements_of_large : max_elements;
    const msgpack::unpack_limit bounds(elements, max_pairs, frame.size(), frame.size(), 0, max_depth);
    try {
        std::size_t used = 0;
        const auto handle = msgpack::unpack(frame.data(), frame.size(), used, nullptr, nullptr, bounds);
        if (used != frame.size()) malformed("bytes after the message");
        Plain plain = to_plain(handle.get());
        if (auto* map = std::get_if<Map>(&plain.value)) return std::move(*map);
    } catch (const msgpack::unpack_error& reason) {
        malformed(std::string("no msgpack: ") + reason.what());
    }
    malformed("not a map");
}

std::optional<std::uint64_t> whole_in(const Plain* plain) {
    const auto* number = plain ? std::get_if<std::uint64_t>(&plain->value) : nullptr;
    return number && *number <= max_whole ? std::optional(*number) : std::nullopt;
}

const std::string* words_in(const Plain* plain) {
    const auto* text = plain ? std::get_if<std::string>(&plain->value) : nullptr;
    return text && text->size() <= 4 * max_words && *characters(*text) <= max_words ? text : nullptr;
}

template <class Test>
bool is_list(const Plain& plain, Test test) {
    const auto* array = std::get_if<Array>(&plain.value);
    return array && array->size() <= max_names && std::all_of(array->begin(), array->end(), test);
}

void check_reals(std::string_view name, const Plain& plain) {
    const auto* bytes = std::get_if<Bytes>(&plain.value);
    if (!bytes || bytes->data.size() % sizeof(double))
        malformed(std::string(name) + " must be binary: little-endian IEEE 754 doubles, one after another");
    for (std::size_t i = 0; i < bytes->data.size(); i += sizeof(double)) {
        double number;
        std::memcpy(&number, bytes->data.data() + i, sizeof number);
        if (!std::isfinite(number))
            throw Refused(refusal::NOT_FINITE,
                          std::string(name) + " holds NaN or infinity at " + std::to_string(i / sizeof number));
    }
}

// However deep: no number that is none.
void check_finite(std::string_view name, const Plain& plain) {
    if (const auto* number = std::get_if<double>(&plain.value); number && !std::isfinite(*number))
        throw Refused(refusal::NOT_FINITE, std::string(name) + " holds NaN or infinity");
    if (const auto* array = std::get_if<Array>(&plain.value))
        for (const Plain& element : *array) check_finite(name, element);
    if (const auto* map = std::get_if<Map>(&plain.value))
        for (const auto& pair : *map) check_finite(name, pair.second);
}

void check(const Field& field, const Plain& plain) {
    const auto require = [&](bool holds, const char* what) {
        if (!holds) malformed(std::string(field.name) + " must be " + what);
    };
    switch (field.type) {
    case Type::whole: return require(whole_in(&plain).has_value(), "a whole number of 0 to 2^63 - 1");
    case Type::flag: return require(std::holds_alternative<bool>(plain.value), "true or false");
    case Type::words: return require(words_in(&plain), "a text of at most 4096 characters");
    case Type::names:
        return require(is_list(plain, [](const Plain& p) { return std::holds_alternative<std::string>(p.value); }),
                       "a list of at most 64 texts");
    case Type::wholes:
        return require(is_list(plain, [](const Plain& p) { return whole_in(&p).has_value(); }),
                       "a list of at most 64 whole numbers");
    case Type::reals: return check_reals(field.name, plain);
    case Type::map: require(std::holds_alternative<Map>(plain.value), "a map"); return check_finite(field.name, plain);
    case Type::any: return check_finite(field.name, plain);
    }
}

// msgpack-c asks for a sink with this one function.
struct Sink {
    std::string bytes;
    void write(const char* data, std::size_t size) { bytes.append(data, size); }
};
using Packer = msgpack::packer<Sink>;

// msgpack-c's own `pack_double` writes 2.0 as the integer 2 (from its version 3.3 on); a double of the wire stays one.
void write_double(Sink& sink, double number) {
    std::uint64_t bits;
    std::memcpy(&bits, &number, sizeof bits);
    sink.bytes.push_back('\xcb');
    for (int shift = 56; shift >= 0; shift -= 8) sink.bytes.push_back(static_cast<char>(bits >> shift & 0xFF));
}

void pack_text(Packer& out, std::string_view text) {
    out.pack_str(static_cast<std::uint32_t>(text.size()));
    out.pack_str_body(text.data(), static_cast<std::uint32_t>(text.size()));
}

void pack(Sink& sink, const Plain& plain) {
    struct Visitor {
        Sink& sink;
        mutable Packer out{sink};
        void operator()(std::monostate) const { out.pack_nil(); }
        void operator()(bool v) const { v ? out.pack_true() : out.pack_false(); }
        void operator()(std::uint64_t v) const { out.pack_uint64(v); }
        void operator()(std::int64_t v) const { out.pack_int64(v); }
        void operator()(double v) const { write_double(sink, v); }
        void operator()(const std::string& v) const { pack_text(out, v); }
        void operator()(const Bytes& v) const {
            out.pack_bin(static_cast<std::uint32_t>(v.data.size()));
            out.pack_bin_body(v.data.data(), static_cast<std::uint32_t>(v.data.size()));
        }
        void operator()(const Array& v) const {
            out.pack_array(static_cast<std::uint32_t>(v.size()));
            for (const Plain& element : v) pack(sink, element);
        }
        void operator()(const Map& v) const {
            out.pack_map(static_cast<std::uint32_t>(v.size()));
            for (const auto& [key, value] : v) {
                pack_text(out, key);
                pack(sink, value);
            }
        }
    };
    std::visit(Visitor{sink}, plain.value);
}

}  // namespace

Message decode(std::string_view frame, std::size_t limit) {
    if (frame.size() > limit)
        throw Refused(refusal::OVERSIZED,
                      std::to_string(frame.size()) + " bytes, at most " + std::to_string(limit) + " are read");
    Map plain = unpack(frame);
    if (whole_in(find(plain, "v")) != protocol_version)
        throw Refused(refusal::UNSUPPORTED_VERSION, "this side speaks 1");
    const Plain* told = find(plain, "kind");
    const auto* kind = told ? std::get_if<std::string>(&told->value) : nullptr;
    const Fields* layout = kind ? fields_of(*kind) : nullptr;
    if (!layout) throw Refused(refusal::UNKNOWN_KIND, "kind " + brief(kind ? *kind : "that is no text"));
    if (plain.size() != envelope().size() + layout->size())
        malformed(*kind + " has " + std::to_string(envelope().size() + layout->size()) + " fields, got " +
                  std::to_string(plain.size()));
    for (const Fields* fields : {&envelope(), layout})
        for (const Field& field : *fields) {
            const Plain* value = find(plain, field.name);
            if (!value) malformed(*kind + " lacks its field " + std::string(field.name));
            check(field, *value);
        }
    const auto whole = [&](std::string_view name) { return *whole_in(find(plain, name)); };
    Message message{*kind, {}, *words_in(find(plain, "session")), whole("epoch"), whole("lease"), whole("seq"),
                    whole("t")};
    message.fields = std::move(plain);
    return message;
}

std::string encode(const Message& message) {
    const Fields* layout = fields_of(message.kind);
    if (!layout) throw std::logic_error("no kind " + message.kind);
    Sink sink;
    Packer out(sink);
    out.pack_map(static_cast<std::uint32_t>(envelope().size() + layout->size()));
    const Plain head[] = {protocol_version, message.kind,  message.session, message.epoch,
                          message.lease,    message.seq, message.t};
    for (std::size_t i = 0; i < envelope().size(); ++i) {
        pack_text(out, envelope()[i].name);
        pack(sink, head[i]);
    }
    for (const Field& field : *layout) {
        const Plain* value = find(message.fields, field.name);
        if (!value) throw std::logic_error(message.kind + " lacks its field " + std::string(field.name));
        pack_text(out, field.name);
        pack(sink, *value);
    }
    return std::move(sink.bytes);
}

std::uint64_t number_of(std::string_view frame) {
    if (frame.size() > max_frame) return 0;
    try {
        const Map plain = unpack(frame);
        const std::uint64_t id = whole_in(find(plain, "id")).value_or(0);
        return id ? id : whole_in(find(plain, "seq")).value_or(0);
    } catch (const Refused&) {
        return 0;
    }
}

Map plain_map(std::string_view bytes) { return unpack(bytes); }

std::string brief(std::string_view text, std::size_t bytes) {
    if (text.size() <= bytes) return std::string(text);
    while (bytes > 0 && (static_cast<unsigned char>(text[bytes]) & 0xC0) == 0x80) --bytes;
    return std::string(text.substr(0, bytes)) + "...";
}

}  // namespace tandem
