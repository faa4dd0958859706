// Times and guards, declared to every client in `welcome`. PROTOCOL.md, section 6.
#pragma once

#include <cstddef>

#include "plain.hpp"

namespace tandem {

inline constexpr std::size_t max_frame = 64 * 1024;  // bytes of a message towards a controller

struct Limits {
    double tick_hz = 500.0;
    double silence_s = 0.25;
    double lease_s = 1.0;
    double fault_s = 2.0;
    double max_ttl_s = 5.0;
    double max_lead_s = 1.0;
    double start_guard = 0.05;
    double following_error = 0.35;
    double following_s = 0.1;
    double driver_timeout_s = 0.05;
    double gap_s = 0.1;
    double reset_s = 30.0;
    double requests_per_s = 1000.0;

    Map to_wire() const {
        return {{"tick_hz", tick_hz}, {"silence_s", silence_s}, {"lease_s", lease_s}, {"fault_s", fault_s},
                {"max_ttl_s", max_ttl_s}, {"max_lead_s", max_lead_s}, {"start_guard", start_guard},
                {"following_error", following_error}, {"following_s", following_s},
                {"driver_timeout_s", driver_timeout_s}, {"gap_s", gap_s}, {"reset_s", reset_s},
                {"requests_per_s", requests_per_s}, {"max_frame", std::uint64_t{max_frame}}};
    }
};

}  // namespace tandem
