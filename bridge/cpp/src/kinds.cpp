#include "kinds.hpp"

#include <map>
#include <set>

namespace tandem {
namespace {

using Kinds = std::map<std::string_view, Fields>;

constexpr Type whole = Type::whole, flag = Type::flag, words = Type::words, names = Type::names,
               wholes = Type::wholes, reals = Type::reals, map = Type::map, any = Type::any;

const Kinds& kinds() {
    static const Kinds table{
        // control: requests
        {"hello", {{"id", whole}, {"versions", wholes}, {"name", words}, {"role", words}}},
        {"ping", {{"id", whole}}},
        {"acquire", {{"id", whole}, {"name", words}, {"standby", flag}, {"force", flag}}},
        {"renew", {{"id", whole}, {"calls", whole}, {"idle", whole}}},
        {"release", {{"id", whole}}},
        {"clear", {{"id", whole}, {"fault", whole}}},
        {"status", {{"id", whole}}},
        {"reset", {{"id", whole}, {"options", map}}},
        {"step", {{"id", whole}, {"names", names}, {"q", reals}}},
        {"look", {{"id", whole}, {"key", words}}},
        {"ask", {{"id", whole}, {"question", words}, {"arguments", map}}},
        // control: replies
        {"welcome", {{"id", whole}, {"version", whole}, {"role", words}, {"name", words}, {"mode", words},
                     {"spec", map}, {"digest", words}, {"limits", map}, {"ports", map}, {"security", words},
                     {"extensions", names}, {"about", map}}},
        {"pong", {{"id", whole}, {"received", whole}}},
        {"granted", {{"id", whole}, {"expires", whole}}},
        {"queued", {{"id", whole}, {"place", whole}, {"holder", words}}},
        {"renewed", {{"id", whole}, {"mode", words}, {"expires", whole}}},
        {"released", {{"id", whole}}},
        {"cleared", {{"id", whole}}},
        {"report_status", {{"id", whole}, {"mode", words}, {"fault", map}, {"holder", words}, {"servo", map}}},
        {"ready", {{"id", whole}, {"info", map}}},
        {"stepped", {{"id", whole}, {"time", reals}, {"position", reals}, {"velocity", reals}, {"opening", reals},
                     {"tool", reals}, {"command", reals}, {"events", any}}},
        {"picture", {{"id", whole}, {"key", words}, {"dtype", words}, {"shape", wholes}}},
        {"answer", {{"id", whole}, {"value", any}}},
        {"refused", {{"id", whole}, {"code", words}, {"detail", words}, {"remedy", words}}},
        // command
        {"chunk", {{"t0", whole}, {"dt", whole}, {"ttl", whole}, {"names", names}, {"q", reals}}},
        {"accepted", {{"chunk", whole}, {"first", whole}, {"count", whole}}},
        // state
        {"state", {{"mode", words}, {"fault", whole}, {"measured", whole}, {"position", reals}, {"velocity", reals},
                   {"opening", reals}, {"tool", reals}, {"setpoint", reals}, {"chunk", whole}, {"index", whole},
                   {"inputs", whole}, {"generation", whole}, {"late", whole}, {"worst", whole}}},
        {"report", {{"stage", words}, {"code", words}, {"chunk", whole}, {"detail", words}}},
        {"event", {{"what", words}, {"detail", words}, {"data", map}}},
        // media
        {"frame", {{"camera", words}, {"key", words}, {"encoding", words}, {"dtype", words}, {"shape", wholes}}},
        // stop
        {"stop", {{"id", whole}, {"reason", words}}},
        {"stopping", {{"id", whole}, {"fault", whole}}},
    };
    return table;
}

}  // namespace

const Fields& envelope() {
    static const Fields fields{{"v", whole}, {"kind", words}, {"session", words}, {"epoch", whole},
                               {"lease", whole}, {"seq", whole}, {"t", whole}};
    return fields;
}

const Fields* fields_of(std::string_view kind) {
    const auto found = kinds().find(kind);
    return found == kinds().end() ? nullptr : &found->second;
}

bool towards_controller(Port port, std::string_view kind) {
    static const std::set<std::string_view> requests{"hello", "ping", "acquire", "renew", "release", "clear",
                                                     "status", "reset", "step", "look", "ask"};
    switch (port) {
    case Port::control: return requests.count(kind) > 0;
    case Port::command: return kind == "chunk" || kind == "step";
    case Port::stop: return kind == "stop";
    default: return false;
    }
}

}  // namespace tandem
