// One joint's setpoints within its velocity, acceleration, jerk and range, whatever it is asked to follow.
//
// In discrete time: a' = a + at most h = J dt, v' = v + a' dt, p' = p + v' dt. So the limits hold for the differences
// of the setpoints themselves, exactly but for rounding: velocity, acceleration and jerk, always.
//
// The invariant, by induction over ticks: from the present setpoint the stop that `braking` gives, tick by tick, stays
// within every limit and inside the range. A step is taken only after the stop that would follow it was computed to its
// end and found to keep the invariant; otherwise the step is the first one of the stop that was found before. Standing
// still begins the induction. Nothing here depends on how the reference behaves, or on the choice of a step's
// acceleration being a good one.
//
// What it does not do: joints are not synchronised, the way to a goal is quick but not the quickest, and its cost grows
// with the time that a stop takes (4 us for a joint that stops in 0.3 s, 14 us at most). Ruckig (https://ruckig.com)
// belongs here on a real arm, as in bridge/safety/shaping.py; keep the invariant with it.
#pragma once

#include <algorithm>
#include <cmath>

namespace tandem {

class Limiter {
  public:
    Limiter(double low, double high, double velocity, double acceleration, double jerk, double tick_s)
        : low_(low + margin), high_(high - margin), v_(share * velocity), a_(share * acceleration),
          h_(share * jerk * tick_s), dt_(tick_s),
          longest_(static_cast<int>(4 * (v_ / a_ + 2 * a_ / (share * jerk)) / tick_s) + 10) {}

    double position() const { return now_.p; }
    double velocity() const { return now_.v; }
    double acceleration() const { return now_.a; }
    bool standing() const { return stands(now_); }
    double clamped(double position) const { return std::clamp(position, low_, high_); }

    void rest_at(double position) { now_ = {clamped(position), 0, 0}; }

    // One tick towards a moving reference; whether the joint was held back to be able to stop inside its range.
    bool follow(double position, double velocity, double acceleration) {
        const double goal = clamped(position);
        const bool rests = (velocity == 0 && acceleration == 0) || goal != position;
        const double lowest = std::max({now_.a - h_, -a_, -ramp(v_ + now_.v)});  // and the velocity limit is kept
        const double highest = std::max(std::min({now_.a + h_, a_, ramp(v_ - now_.v)}), lowest);
        const double wanted = rests ? arriving(goal, lowest, highest) : chasing(goal, velocity, acceleration);
        return take(std::clamp(wanted, lowest, highest));
    }

    // One tick of the quickest stop.
    void stop() {
        if (!standing()) now_ = step(now_, braking(now_));
        if (standing()) now_.v = now_.a = 0;
    }

  private:
    static constexpr double share = 0.98;        // of each limit is used: turns of the loop are not all equally long
    static constexpr double margin = 1e-4;       // rad or m kept free at either end of the range
    static constexpr double closing = 25.0;      // 1/s: how fast a lag behind a moving reference is taken back
    static constexpr double standstill = 1e-6;   // rad/s and rad/s^2
    static constexpr double there = 1e-9;        // rad or m
    struct State {
        double p, v, a;
    };

    static bool stands(const State& s) { return std::abs(s.v) < standstill && std::abs(s.a) < standstill; }

    State step(const State& s, double a) const {
        const double v = s.v + a * dt_;
        return {s.p + v * dt_, v, a};
    }

    // The strongest acceleration x whose taking back, h less in each tick, changes the velocity by no more than `dv`:
    // dv = dt (x + (x - h) + (x - 2 h) + ...).
    double ramp(double dv) const {
        const double w = std::max(dv, 0.0) / dt_, n = std::floor((std::sqrt(1 + 8 * w / h_) - 1) / 2);
        return (w + h_ * n * (n + 1) / 2) / (n + 1);
    }

    // The next acceleration of a stop: as strong as can be taken back just when the velocity becomes 0.
    double braking(const State& s) const {
        return std::clamp(-std::copysign(std::min(ramp(std::abs(s.v)), a_), s.v), s.a - h_, s.a + h_);
    }

    struct Stop {
        bool safe;
        double end;
    };

    Stop plan_stop(State s) const {
        bool safe = true;
        for (int i = 0; i < longest_ && !stands(s); ++i) {
            safe = safe && s.p >= low_ && s.p <= high_ && std::abs(s.v) <= v_ * (1 + 1e-9);
            s = step(s, braking(s));
        }
        return {safe && s.p >= low_ && s.p <= high_ && stands(s), s.p};
    }

    bool take(double wanted) {
        State next = step(now_, wanted);
        const bool held_back = !plan_stop(next).safe;
        if (held_back) {  // as much of it as leaves room to stop; braking does, as the invariant says
            double good = braking(now_), bad = wanted;
            for (int i = 0; i < 8; ++i) {
                const double middle = (good + bad) / 2;
                (plan_stop(step(now_, middle)).safe ? good : bad) = middle;
            }
            next = step(now_, good);
        }
        now_ = next;
        return held_back;
    }

    // After a reference that moves: its velocity, and more of it the further it is away.
    double chasing(double goal, double velocity, double acceleration) const {
        const double error = goal - now_.p;
        const double more = std::min(closing * std::abs(error), std::sqrt(a_ * std::abs(error) / 2));
        const double missing = std::clamp(velocity + std::copysign(more, error), -v_, v_) - now_.v;
        return acceleration + std::copysign(ramp(std::abs(missing)), missing);
    }

    // To a reference at rest: as fast as a stop from there still ends at the goal and not beyond.
    double arriving(double goal, double lowest, double highest) const {
        double good = std::clamp(braking(now_), lowest, highest);
        const double end = plan_stop(step(now_, good)).end;
        if (std::abs(goal - end) < there) return good;
        const bool up = end < goal;
        double bad = up ? highest : lowest;
        const auto falls_short = [&](double a) { return (plan_stop(step(now_, a)).end <= goal) == up; };
        if (falls_short(bad)) return bad;
        for (int i = 0; i < 20; ++i) {
            const double middle = (good + bad) / 2;
            (falls_short(middle) ? good : bad) = middle;
        }
        return good;
    }

    double low_, high_, v_, a_, h_, dt_;
    int longest_;  // ticks of the longest stop, with a wide margin
    State now_{0, 0, 0};
};

}  // namespace tandem
