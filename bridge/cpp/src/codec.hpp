// Bytes to messages and back. A message that is decoded has every field of its kind with its type, finite, and no
// other field.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "limits.hpp"
#include "message.hpp"

namespace tandem {

// Throws `Refused`: OVERSIZED, MALFORMED, UNSUPPORTED_VERSION, UNKNOWN_KIND or NOT_FINITE, naming the culprit.
Message decode(std::string_view frame, std::size_t limit = max_frame);

// Envelope first, then the fields in the table's order; throws std::logic_error when one is missing.
std::string encode(const Message& message);

// The id or seq of a frame that is refused, as far as it tells; 0 when it does not.
std::uint64_t number_of(std::string_view frame);

// Bytes of one plain map, without any check: what the build brings along (the specification).
Map plain_map(std::string_view bytes);

// At most so many bytes of somebody else's text, cut between two characters.
std::string brief(std::string_view text, std::size_t bytes = 60);

}  // namespace tandem
