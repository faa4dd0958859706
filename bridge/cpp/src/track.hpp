// The reference that a chunk stands for: straight lines between its actions, and the splice of a new one.
//
// Action k of a chunk is to be reached at t0 + (k + 1) dt. A new chunk replaces all that is left of the old one: from
// where the reference is now, it goes on to the first of its actions whose time has not passed.
#pragma once

#include <algorithm>
#include <vector>

#include "driver.hpp"

namespace tandem {

struct Chunk {
    std::uint64_t number;  // seq of its message
    Ns t0, dt, expires;
    std::vector<Row> rows;

    Ns due(std::size_t k) const { return t0 + static_cast<Ns>(k + 1) * dt; }
    Ns last_due() const { return due(rows.size() - 1); }
    std::size_t first_after(Ns now) const {  // the first action whose time has not passed; rows.size() for none
        return now < t0 ? 0 : std::min(static_cast<std::size_t>((now - t0) / dt), rows.size());
    }
};

struct Reference {
    Row position{}, velocity{}, acceleration{};
    std::size_t index = 0;  // of the action that the line goes to
};

// What is followed is the average of the straight lines over the last window: a quadratic B-spline of the actions,
// whose velocity is continuous and whose acceleration is that of the actions themselves. So actions within the limits
// make a reference within the limits, half a window late, and a splice never shows in the velocity.
class Track {
  public:
    Track(Chunk chunk, Ns now, const Row& start, const Track* before)
        : chunk_(std::move(chunk)), first_(chunk_.first_after(now)), origin_(now),
          window_(before ? before->window_ : std::min(longest_window, seconds(chunk_.dt))) {
        if (before) before->recent(now, knots_);
        knots_.push_back({0.0, before ? before->line(before->since(now)) : start, {}});
        future_ = knots_.size();
        for (std::size_t k = first_; k < chunk_.rows.size(); ++k)
            knots_.push_back({seconds(chunk_.due(k) - now), chunk_.rows[k], {}});
        for (std::size_t k = 1; k < knots_.size(); ++k)
            for (std::size_t i = 0; i < width; ++i)
                knots_[k].area[i] = knots_[k - 1].area[i] + (knots_[k].time - knots_[k - 1].time) *
                                                                (knots_[k].row[i] + knots_[k - 1].row[i]) / 2;
    }

    const Chunk& chunk() const { return chunk_; }

    Reference sample(Ns now) const {
        const double t = since(now), w = window_;
        const Row area[2] = {integral(t - w), integral(t)}, row[2] = {line(t - w), line(t)};
        const Row bend[2] = {slope(t - w), slope(t)};
        Reference reference;
        for (std::size_t i = 0; i < width; ++i) {
            reference.position[i] = (area[1][i] - area[0][i]) / w;
            reference.velocity[i] = (row[1][i] - row[0][i]) / w;
            reference.acceleration[i] = (bend[1][i] - bend[0][i]) / w;
        }
        const std::size_t k = next(t);
        reference.index = std::min(first_ + (k > future_ ? k - future_ : 0), chunk_.rows.size() - 1);
        return reference;
    }

  private:
    static constexpr double longest_window = 0.05;  // s
    static constexpr std::size_t width = std::tuple_size_v<Row>;
    struct Knot {
        double time;
        Row row, area;  // area: integral of the lines from the first knot to this one
    };

    double since(Ns now) const { return seconds(now - origin_); }

    // The first knot after t; knots_.size() for none.
    std::size_t next(double t) const {
        const auto after = std::upper_bound(knots_.begin(), knots_.end(), t,
                                            [](double time, const Knot& knot) { return time < knot.time; });
        return static_cast<std::size_t>(after - knots_.begin());
    }

    // The knots of the last window before `now`, times relative to it.
    void recent(Ns now, std::vector<Knot>& kept) const {
        const double t = since(now), edge = t - window_;
        kept.push_back({-window_, line(edge), {}});
        for (const Knot& knot : knots_)
            if (edge < knot.time && knot.time < t) kept.push_back({knot.time - t, knot.row, {}});
    }

    Row line(double t) const {
        const std::size_t k = next(t);
        if (k == 0) return knots_.front().row;
        if (k == knots_.size()) return knots_.back().row;
        const double share = (t - knots_[k - 1].time) / (knots_[k].time - knots_[k - 1].time);
        Row row = knots_[k - 1].row;
        for (std::size_t i = 0; i < width; ++i) row[i] += share * (knots_[k].row[i] - row[i]);
        return row;
    }

    Row slope(double t) const {
        const std::size_t k = next(t);
        Row row{};
        if (k == 0 || k == knots_.size()) return row;
        for (std::size_t i = 0; i < width; ++i)
            row[i] = (knots_[k].row[i] - knots_[k - 1].row[i]) / (knots_[k].time - knots_[k - 1].time);
        return row;
    }

    Row integral(double t) const {
        const std::size_t k = next(t);
        const Knot& from = knots_[k == 0 ? 0 : k - 1];
        const Row to = line(t);
        Row row = from.area;
        for (std::size_t i = 0; i < width; ++i) row[i] += (t - from.time) * (from.row[i] + to[i]) / 2;
        return row;
    }

    Chunk chunk_;
    std::size_t first_;  // action that is still carried out
    Ns origin_;
    double window_;
    std::vector<Knot> knots_;
    std::size_t future_ = 0;  // knot of the first action
};

}  // namespace tandem
