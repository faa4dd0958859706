// The stages between a chunk that was admitted and the track, each a function that refuses or says what it changed.
#pragma once

#include <cstdio>
#include <vector>

#include "driver.hpp"
#include "limits.hpp"
#include "message.hpp"
#include "refusal.hpp"
#include "track.hpp"

namespace tandem {

// What a stage changed or refused, and why.
struct Report {
    std::string stage, code, detail;
    std::uint64_t chunk = 0;
};

template <class... Values>
std::string format(const char* pattern, Values... values) {
    char text[300];
    std::snprintf(text, sizeof text, pattern, values...);
    return text;
}

// Age and time to live: what comes too late or for too far ahead is not carried out.
inline void check_age(Ns t0, Ns dt, Ns ttl, Ns now, const Limits& limits) {
    if (ttl <= 0 || ttl > ns(limits.max_ttl_s))
        throw Refused(refusal::WRONG_TTL, format("ttl is %g s, allowed is more than 0, at most %g s", seconds(ttl),
                                                 limits.max_ttl_s));
    if (dt < 1'000'000 || dt > 1'000'000'000)
        throw Refused(refusal::MALFORMED, format("dt is %g s, allowed are 0.001 to 1 s", seconds(dt)));
    if (t0 - now > ns(limits.max_lead_s))
        throw Refused(refusal::FROM_THE_FUTURE,
                      format("t0 lies %.3f s ahead, at most %g s", seconds(t0 - now), limits.max_lead_s));
    if (now - t0 >= ttl)
        throw Refused(refusal::EXPIRED,
                      format("%.3f s old, its time to live was %g s", seconds(now - t0), seconds(ttl)));
}

// Joints by name: whatever order a chunk comes in, the arm gets it in its own.
inline std::vector<Row> ordered(const std::vector<double>& values, const Array& names) {
    constexpr std::size_t width = spec::action_names.size(), longest = 1000;
    std::array<std::size_t, width> column{};
    std::array<bool, width> found{};
    for (std::size_t k = 0; k < names.size(); ++k)
        for (std::size_t i = 0; i < width; ++i)
            if (std::get<std::string>(names[k].value) == spec::action_names[i]) {
                column[i] = k;
                found[i] = true;
            }
    for (std::size_t i = 0; i < width; ++i)
        if (names.size() != width || !found[i])
            throw Refused(refusal::WRONG_NAMES, format("%zu names for %zu elements; missing: %s", names.size(), width,
                                                       found[i] ? "none" : spec::action_names[i].data()));
    if (values.empty() || values.size() % width)
        throw Refused(refusal::WRONG_SHAPE, format("%zu numbers are no rows of %zu", values.size(), width));
    if (values.size() / width > longest)
        throw Refused(refusal::WRONG_SHAPE,
                      format("%zu actions, at most %zu are taken", values.size() / width, longest));
    std::vector<Row> rows(values.size() / width);
    for (std::size_t h = 0; h < rows.size(); ++h)
        for (std::size_t i = 0; i < width; ++i) rows[h][i] = values[h * width + column[i]];
    return rows;
}

// Position range: an action outside it is moved to its edge, and the report says by how much.
inline std::vector<Report> clamp_rows(std::vector<Row>& rows, std::uint64_t chunk) {
    constexpr double tolerance = 1e-6;  // beyond it a change is worth a report
    std::vector<Report> reports;
    for (std::size_t i = 0; i < spec::action_names.size(); ++i) {
        double beyond = 0;
        for (Row& row : rows) {
            const double inside = std::clamp(row[i], spec::action_low[i], spec::action_high[i]);
            beyond = std::max(beyond, std::abs(row[i] - inside));
            row[i] = inside;
        }
        if (beyond > tolerance)
            reports.push_back({"range", "clamped",
                               format("%s moved by up to %.4g to stay within [%.4g, %.4g]",
                                      spec::action_names[i].data(), beyond, spec::action_low[i], spec::action_high[i]),
                               chunk});
    }
    return reports;
}

// The first action must lie where the arm stands, or as far as it can get until then: no jump, whoever asks for it.
inline void check_start(const Row& first, const Joints& position, double ahead_s, double guard) {
    for (std::size_t i = 0; i < spec::dof; ++i) {
        const double far = std::abs(first[i] - position[i]);
        const double allowed = guard + spec::velocity_limit[i] * std::max(ahead_s, 0.0);
        if (far > allowed)
            throw Refused(refusal::START_POSE,
                          format("%s stands at %.4f, the first action is %.4f: %.4f away, %.4f are allowed",
                                 spec::joint_names[i].data(), position[i], first[i], far, allowed));
    }
}

}  // namespace tandem
