// Why a message is refused: a closed list, each with what would have worked. A refused message moves nothing.
#pragma once

#include <exception>
#include <string>
#include <string_view>
#include <utility>

namespace tandem {

struct Refusal {
    std::string_view code, remedy;
};

namespace refusal {
inline constexpr Refusal
    OVERSIZED{"OVERSIZED", "send a smaller message; hello tells the largest (limits.max_frame)"},
    MALFORMED{"MALFORMED", "send one msgpack map with the fields that PROTOCOL.md lists for its kind"},
    UNSUPPORTED_VERSION{"UNSUPPORTED_VERSION", "use one of the versions that hello offers"},
    UNKNOWN_KIND{"UNKNOWN_KIND", "send a kind that PROTOCOL.md lists for this socket"},
    NOT_FINITE{"NOT_FINITE", "send finite numbers only"},
    UNAUTHENTICATED{"UNAUTHENTICATED", "use a key on the controller's allow-list (launch/keys.py)"},
    FORBIDDEN{"FORBIDDEN", "use a key with the role that this needs"},
    WRONG_SESSION{"WRONG_SESSION", "say hello anew: the controller was started again"},
    NO_LEASE{"NO_LEASE", "acquire the lease first"},
    STALE_LEASE{"STALE_LEASE", "acquire a new lease: this one has ended"},
    LEASE_TAKEN{"LEASE_TAKEN", "wait for the holder, ask for standby, or let a supervisor take over"},
    STALE_EPOCH{"STALE_EPOCH", "take the epoch from the newest state: what was made before is not carried out"},
    REPLAYED{"REPLAYED", "count seq up from message to message"},
    EXPIRED{"EXPIRED", "send fresher actions: every one of these is later than its time"},
    FROM_THE_FUTURE{"FROM_THE_FUTURE", "measure the clock offset again (ping): base time lies too far ahead"},
    WRONG_TTL{"WRONG_TTL", "give a time to live within limits.max_ttl"},
    WRONG_NAMES{"WRONG_NAMES", "name exactly the specification's action elements, each once"},
    WRONG_SHAPE{"WRONG_SHAPE", "send one row for each action and one number for each name"},
    START_POSE{"START_POSE", "start from the pose in which the arm stands"},
    FAULTED{"FAULTED", "let a supervisor look at the arm and clear the fault"},
    NOT_READY{"NOT_READY", "wait until the state is READY"},
    MOVING{"MOVING", "wait until the arm stands"},
    NO_SUCH_FAULT{"NO_SUCH_FAULT", "name the number of the present fault, as the state tells it"},
    NOT_OFFERED{"NOT_OFFERED", "ask only for the extensions that hello lists"},
    INVALID{"INVALID", "correct the value that the detail names"},
    BUSY{"BUSY", "send less often"};
}  // namespace refusal

struct Refused : std::exception {
    Refusal reason;
    std::string detail;

    Refused(const Refusal& why, std::string words) : reason(why), detail(std::move(words)) {}
    const char* what() const noexcept override { return detail.c_str(); }
};

}  // namespace tandem
