// Times, and the controller's clock: CLOCK_MONOTONIC, as on the wire. Signed, so that differences may be negative.
#pragma once

#include <chrono>
#include <cstdint>

namespace tandem {

using Ns = std::int64_t;

constexpr Ns ns(double seconds) { return static_cast<Ns>(seconds * 1e9 + 0.5); }
constexpr double seconds(Ns t) { return static_cast<double>(t) * 1e-9; }

inline Ns monotonic_now() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

}  // namespace tandem
