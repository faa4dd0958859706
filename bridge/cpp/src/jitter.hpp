// How regular a loop is: a histogram of how far each turn was off its period.
#pragma once

#include <algorithm>
#include <cstdlib>

#include "plain.hpp"
#include "units.hpp"

namespace tandem {

class Jitter {
  public:
    explicit Jitter(Ns period) : period_(period) {}

    std::uint64_t late() const { return late_; }
    Ns worst() const { return worst_; }

    void turn(Ns now) {
        if (last_) {
            const Ns gap = now - last_;
            ++turns_;
            late_ += 2 * gap > 3 * period_;
            worst_ = std::max(worst_, gap);
            std::size_t bin = 0;
            while (bin < edges && std::abs(gap - period_) > edges_us[bin] * 1000) ++bin;
            ++counts_[bin];
        }
        last_ = now;
    }

    Map to_wire(const std::string& scheduling) const {
        Map off_by;
        for (std::size_t i = 0; i < edges; ++i) off_by.emplace_back("<=" + std::to_string(edges_us[i]), counts_[i]);
        off_by.emplace_back(">" + std::to_string(edges_us[edges - 1]), counts_[edges]);
        return {{"turns", turns_}, {"late", late_}, {"worst_us", seconds(worst_) * 1e6},
                {"period_us", seconds(period_) * 1e6}, {"off_by_us", off_by}, {"scheduling", scheduling}};
    }

  private:
    static constexpr Ns edges_us[]{50, 100, 200, 500, 1000, 2000, 5000, 10000, 50000};
    static constexpr std::size_t edges = std::size(edges_us);
    Ns period_, last_ = 0, worst_ = 0;
    std::uint64_t turns_ = 0, late_ = 0, counts_[edges + 1]{};
};

}  // namespace tandem
