// Mode, epoch and fault of a controller, and the only ways from one mode to another. PROTOCOL.md, section 6.
#pragma once

#include <functional>
#include <optional>
#include <stdexcept>

#include "plain.hpp"
#include "refusal.hpp"
#include "units.hpp"

namespace tandem {

enum class Mode { IDLE, READY, LEASED, ACTIVE, HOLDING, STOPPING, FAULT };

constexpr std::string_view name(Mode mode) {
    constexpr std::string_view names[]{"IDLE", "READY", "LEASED", "ACTIVE", "HOLDING", "STOPPING", "FAULT"};
    return names[static_cast<std::size_t>(mode)];
}

constexpr bool leads(Mode from, Mode to) {
    switch (from) {
    case Mode::IDLE: return to == Mode::READY || to == Mode::LEASED || to == Mode::FAULT;
    case Mode::READY: return to == Mode::LEASED || to == Mode::STOPPING || to == Mode::FAULT;
    case Mode::LEASED: return to != Mode::HOLDING;
    case Mode::ACTIVE: return to == Mode::STOPPING || to == Mode::FAULT;
    case Mode::HOLDING: return true;
    case Mode::STOPPING: return to != Mode::IDLE;
    case Mode::FAULT: return to == Mode::READY;
    }
    return false;
}

// A latched fault; whoever clears it must name its number.
struct Fault {
    std::uint64_t number;
    std::string code, detail;
    Ns t;

    Map to_wire() const { return {{"number", number}, {"code", code}, {"detail", detail}, {"t", t}}; }
};

class Situation {
  public:
    using Tell = std::function<void(const char* what, const std::string& detail, Map data)>;

    explicit Situation(Tell tell) : tell_(std::move(tell)) {}

    std::uint64_t epoch = 1;  // counts every event after which earlier actions must never be carried out
    std::string lacks;        // what the controller waits for while it is IDLE

    Mode mode() const { return mode_; }
    const std::optional<Fault>& fault() const { return fault_; }
    bool is(Mode one, Mode other) const { return mode_ == one || mode_ == other; }

    void go(Mode mode, const std::string& why) {
        if (mode == mode_) return;
        if (!leads(mode_, mode))
            throw std::logic_error("no way from " + text(mode_) + " to " + text(mode) + ": " + why);
        const Mode before = std::exchange(mode_, mode);
        tell_("mode", why, {{"from", name(before)}, {"to", name(mode)}});
    }

    // Latches a fault unless one is latched already; whether it was. The first one is the one that counts.
    bool raise(std::string_view code, const std::string& detail, Ns now) {
        if (fault_) return false;
        fault_ = Fault{++faults_, std::string(code), detail, now};
        tell_("fault", fault_->code + ": " + detail, fault_->to_wire());
        return true;
    }

    void clear(const std::string& why) {
        const Fault cleared = *std::exchange(fault_, std::nullopt);
        ++epoch;
        tell_("cleared", why, cleared.to_wire());
        go(Mode::READY, why);
    }

    void refuse_motion() const {
        if (fault_)
            throw Refused(refusal::FAULTED,
                          "fault " + std::to_string(fault_->number) + ", " + fault_->code + ": " + fault_->detail);
        if (is(Mode::IDLE, Mode::FAULT))
            throw Refused(refusal::NOT_READY, "the controller is " + text(mode_) + (lacks.empty() ? "" : ": " + lacks));
    }

    static std::string text(Mode mode) { return std::string(name(mode)); }

  private:
    Tell tell_;
    Mode mode_ = Mode::IDLE;
    std::uint64_t faults_ = 0;
    std::optional<Fault> fault_;
};

}  // namespace tandem
