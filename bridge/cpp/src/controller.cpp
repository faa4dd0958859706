#include "controller.hpp"

namespace tandem {
namespace {

std::string text(std::string_view view) { return std::string(view); }

// The first stages, the same for every message: decode, right socket, right role, this session.
Message admit(const Incoming& incoming, const std::string& session) {
    Message message = decode(incoming.frame);
    if (!towards_controller(incoming.port, message.kind))
        throw Refused(refusal::UNKNOWN_KIND, message.kind + " is not for the " + text(name(incoming.port)) + " socket");
    authorise(incoming.peer, message.kind);
    const bool any_session = message.kind == "hello" || message.kind == "ping" || message.kind == "stop";
    if (!any_session && message.session != session)
        throw Refused(refusal::WRONG_SESSION, "session " + brief(message.session));
    return message;
}

}  // namespace

Controller::Controller(const Limits& limits, Stamp& stamp, Map hello)
    : limits_(limits), stamp_(stamp), hello_(std::move(hello)), leases_(ns(limits.lease_s)),
      situation_([this](const char* what, const std::string& detail, Map data) {
          tell_event(what, detail, std::move(data));
      }),
      motion_(limits) {}

// --- frames ---

void Controller::receive(const Incoming& incoming, Ns now) {
    now_ = now;
    ++inputs_;
    try {
        handle(incoming, admit(incoming, stamp_.session()));
    } catch (const Refused& refused) {
        const std::uint64_t number = number_of(incoming.frame);
        out_.push_back(stamp_.refusal(incoming, number, refused, now, situation_.epoch, token()));
        if (incoming.port == Port::command)
            report({"admission", text(refused.reason.code), incoming.peer.name + ": " + refused.detail, number});
    }
}

void Controller::handle(const Incoming& incoming, const Message& message) {
    const std::string& kind = message.kind;
    if (kind == "hello") hello(incoming, message);
    else if (kind == "ping") answer(incoming, message, "pong", {{"received", now_}});
    else if (kind == "acquire") acquire(incoming, message);
    else if (kind == "renew") renew(incoming, message);
    else if (kind == "release") release(incoming, message);
    else if (kind == "clear") clear(incoming, message);
    else if (kind == "status") status(incoming, message);
    else if (kind == "reset") reset(incoming, message);
    else if (kind == "chunk") chunk(incoming, message);
    else if (kind == "stop") stop(incoming, message);
    else throw Refused(refusal::NOT_OFFERED, kind + " is for lockstep or questions; this arm moves in real time");
}

void Controller::hello(const Incoming& incoming, const Message& message) {
    bool spoken = false;
    for (const Plain& version : message.array("versions"))
        spoken = spoken || std::get<std::uint64_t>(version.value) == protocol_version;
    if (!spoken) throw Refused(refusal::UNSUPPORTED_VERSION, "this side speaks version 1");
    Map fields{{"version", protocol_version}, {"role", name(incoming.peer.role)}, {"name", incoming.peer.name},
               {"mode", name(situation_.mode())}, {"spec", plain_map(spec::packed)}, {"digest", spec::digest},
               {"limits", limits_.to_wire()}, {"extensions", Array{}}};
    fields.insert(fields.end(), hello_.begin(), hello_.end());
    answer(incoming, message, "welcome", std::move(fields));
}

void Controller::acquire(const Incoming& incoming, const Message& message) {
    if (situation_.fault() || situation_.mode() == Mode::IDLE) situation_.refuse_motion();
    const std::string& told = message.words("name");
    const std::string who = told.empty() ? incoming.peer.name : brief(told);
    const std::string held = leases_.holder ? leases_.holder->name : "";
    const bool taken_over = leases_.holder.has_value();
    try {
        leases_.acquire(incoming.peer, who, now_, message.flag("force"));
    } catch (const Refused& refused) {
        if (refused.reason.code != refusal::LEASE_TAKEN.code || !message.flag("standby")) throw;
        const std::size_t place = leases_.wait({incoming.peer, who, incoming.route, message.whole("id"), now_});
        answer(incoming, message, "queued", {{"place", std::uint64_t{place}}, {"holder", held}});
        return;
    }
    grant(*leases_.holder, incoming.route, message.whole("id"), taken_over ? "taken over from " + held : "granted");
}

void Controller::grant(const Lease& lease, const std::string& route, std::uint64_t request, const std::string& why) {
    deserted_.reset();
    const std::string number = std::to_string(lease.token);
    halt("lease", "stopped", why + ": lease " + number + " is " + lease.name + "'s");
    ++situation_.epoch;
    if (situation_.is(Mode::READY, Mode::HOLDING)) situation_.go(Mode::LEASED, lease.name + " holds lease " + number);
    tell_event("lease", lease.name + ": " + why, {{"lease", lease.token}, {"name", lease.name},
                                                  {"peer", lease.peer.name}, {"identity", lease.peer.identity}});
    send(Port::control, route, "granted", {{"id", request}, {"expires", now_ + ns(limits_.lease_s)}});
}

void Controller::renew(const Incoming& incoming, const Message& message) {
    hear(leases_.check(incoming.peer, message.lease));
    answer(incoming, message, "renewed", {{"mode", name(situation_.mode())}, {"expires", now_ + ns(limits_.lease_s)}});
}

void Controller::release(const Incoming& incoming, const Message& message) {
    const Lease& lease = leases_.check(incoming.peer, message.lease);
    deserted_.reset();
    end_lease(lease.name + " released lease " + std::to_string(lease.token));
    answer(incoming, message, "released", {});
}

void Controller::clear(const Incoming& incoming, const Message& message) {
    const auto& present = situation_.fault();
    if (!present || message.whole("fault") != present->number)
        throw Refused(refusal::NO_SUCH_FAULT,
                      "fault " + std::to_string(message.whole("fault")) + "; " +
                          (present ? "the present fault is " + std::to_string(present->number) : "there is no fault"));
    if (situation_.mode() != Mode::FAULT)
        throw Refused(refusal::MOVING, "the arm is " + Situation::text(situation_.mode()));
    motion_.check_standing_start();
    situation_.clear(incoming.peer.name + " cleared " + present->code);
    leases_.holder.reset();
    deserted_.reset();
    last_tick_.reset();
    motion_.start_anew();
    answer(incoming, message, "cleared", {});
}

void Controller::status(const Incoming& incoming, const Message& message) {
    answer(incoming, message, "report_status",
           {{"mode", name(situation_.mode())}, {"fault", situation_.fault() ? situation_.fault()->to_wire() : Map{}},
            {"holder", leases_.holder ? leases_.holder->name : ""}, {"servo", servo_}});
}

void Controller::reset(const Incoming& incoming, const Message& message) {
    Lease& lease = leases_.check(incoming.peer, message.lease);
    if (!situation_.is(Mode::LEASED, Mode::HOLDING)) {
        situation_.refuse_motion();
        throw Refused(refusal::MOVING, "the arm is " + Situation::text(situation_.mode()));
    }
    hear(lease);
    ++situation_.epoch;
    const Plain* seed = find(message.map("options"), "seed");
    if (seed && !std::holds_alternative<std::monostate>(seed->value))
        throw Refused(refusal::NOT_OFFERED, "nothing here can be drawn from a seed");
    motion_.forget_track();  // the setpoint stays: an arm that hangs below it would sink a little every time
    answer(incoming, message, "ready", {{"info", Map{}}});
}

// --- commands ---

void Controller::chunk(const Incoming& incoming, const Message& message) {
    Lease& lease = leases_.check(incoming.peer, message.lease);
    if (message.epoch != situation_.epoch)
        throw Refused(refusal::STALE_EPOCH,
                      "epoch " + std::to_string(message.epoch) + ", now is " + std::to_string(situation_.epoch));
    situation_.refuse_motion();
    if (lease.seq && message.seq <= *lease.seq)
        throw Refused(refusal::REPLAYED,
                      "seq " + std::to_string(message.seq) + " comes after " + std::to_string(*lease.seq));
    const auto time = [&](std::string_view name) { return static_cast<Ns>(message.whole(name)); };
    const Ns t0 = time("t0"), dt = time("dt"), ttl = time("ttl");
    check_age(t0, dt, ttl, now_, limits_);
    std::vector<Row> rows = ordered(message.reals("q"), message.array("names"));
    std::vector<Report> reports = clamp_rows(rows, message.seq);
    const std::uint64_t count = rows.size();
    Chunk chunk{message.seq, t0, dt, t0 + ttl, std::move(rows)};
    const std::uint64_t first = chunk.first_after(now_);
    if (first == count)
        throw Refused(refusal::EXPIRED, format("the last of %zu actions was due %.3f s ago", chunk.rows.size(),
                                               seconds(now_ - chunk.last_due())));
    constexpr double lag_s = 0.05;  // by which a setpoint in motion may lag behind its reference
    const double ahead_s = seconds(chunk.due(first) - now_) + (motion_.standing() ? 0 : lag_s);
    check_start(chunk.rows[first], motion_.setpoint().position, ahead_s, limits_.start_guard);
    lease.seq = message.seq;
    hear(lease);
    motion_.splice(std::move(chunk), now_);
    if (first)
        reports.push_back({"splice", "dropped", std::to_string(first) + " of " + std::to_string(count) +
                                                    " actions came too late", message.seq});
    for (const Report& one : reports) report(one);
    situation_.go(Mode::ACTIVE, "chunk " + std::to_string(message.seq));
    send(Port::command, incoming.route, "accepted", {{"chunk", message.seq}, {"first", first}, {"count", count}});
}

void Controller::stop(const Incoming& incoming, const Message& message) {
    const std::string& reason = message.words("reason");
    fault("STOP_REQUESTED", incoming.peer.name + " (" + text(name(incoming.peer.role)) + "): " +
                                (reason.empty() ? "no reason given" : brief(reason, 500)));
    answer(incoming, message, "stopping", {{"fault", situation_.fault()->number}});
}

void Controller::hear(Lease& lease) {
    lease.heard = now_;
    deserted_.reset();
}

// --- ticks ---

Controller::Tick Controller::tick(Ns now, const Measured& measured, std::uint64_t late, Ns worst) {
    now_ = now;
    late_ = late;
    worst_ = worst;
    watch_loop(now);
    watch_arm(now, measured);
    watch_lease(now);
    watch_chunk(now);
    std::vector<Report> reports;
    const std::size_t index = motion_.advance(now, reports);
    for (const Report& one : reports) report(one);
    settle();
    tell_state(measured, index);
    const bool stands_by_itself = situation_.mode() == Mode::FAULT;
    const bool begins = stands_by_itself && !stopped_;
    stopped_ = stands_by_itself;
    Tick tick{std::nullopt, begins, std::exchange(out_, {})};
    if (!stands_by_itself && situation_.mode() != Mode::IDLE) tick.setpoint = motion_.setpoint();
    return tick;
}

void Controller::failed(const std::string& words, Ns now) {
    now_ = now;
    drop("DRIVER_FAULT", words);
}

void Controller::shut_down(const std::string& words, Ns now) {
    now_ = now;
    fault("SHUT_DOWN", words);
}

void Controller::watch_loop(Ns now) {
    const Ns gap = now - last_tick_.value_or(now);
    last_tick_ = now;
    // the arm has stopped by itself by then, nobody knows where: no setpoint of before may reach it
    if (gap > ns(limits_.gap_s) && !situation_.is(Mode::IDLE, Mode::FAULT))
        drop("SERVO_SUSPENDED", format("%.3f s between two turns of the loop", seconds(gap)));
}

void Controller::watch_arm(Ns now, const Measured& measured) {
    const bool moved_away = motion_.see(measured);
    std::string words;
    if (!measured.fault.empty()) drop("DRIVER_FAULT", measured.fault);
    else if (situation_.mode() == Mode::IDLE) become_ready(now, measured);
    else if (now - measured.t > ns(limits_.driver_timeout_s))
        drop("DRIVER_SILENT", format("the last measurement is %.3f s old", seconds(now - measured.t)));
    else if (moved_away) drop("DRIVER_FAULT", "the arm was put elsewhere without being asked to");
    else if (situation_.mode() != Mode::FAULT && !(words = motion_.strays(now)).empty())
        fault("FOLLOWING_ERROR", words);
}

void Controller::become_ready(Ns now, const Measured& measured) {
    const bool silent = now - measured.t > ns(limits_.driver_timeout_s);
    situation_.lacks = silent ? format("the newest measurement is %.3f s old", seconds(now - measured.t)) : "";
    if (silent) return;
    motion_.start_anew();
    const std::string words = motion_.out_of_range();
    if (words.empty()) situation_.go(Mode::READY, "the arm is there");
    else drop("OUT_OF_RANGE", words);
}

void Controller::watch_lease(Ns now) {
    const auto& lease = leases_.holder;
    if (lease && !deserted_ && situation_.mode() == Mode::ACTIVE && now - lease->heard > ns(limits_.silence_s)) {
        deserted_ = lease->heard;
        ++situation_.epoch;
        halt("silence", "stopped", lease->name + format(" was silent for %.3f s", seconds(now - lease->heard)));
    }
    if (leases_.expired(now)) {
        end_lease("lease " + std::to_string(lease->token) + " of " + lease->name + " expired");
        if (!situation_.fault())
            if (const auto waiting = leases_.next_in_line(now))
                grant(leases_.acquire(waiting->peer, waiting->name, now, false), waiting->route, waiting->request,
                      "handed over");
    }
    if (deserted_ && now - *deserted_ > ns(limits_.fault_s)) {
        deserted_.reset();
        fault("COMM_LOST", "the commander fell silent during a motion and nobody took over");
    }
}

void Controller::end_lease(const std::string& words) {
    leases_.holder.reset();
    ++situation_.epoch;
    halt("lease", "stopped", words);
    tell_event("lease", words, {{"lease", 0}});
    if (situation_.is(Mode::LEASED, Mode::HOLDING)) situation_.go(Mode::READY, words);
}

void Controller::watch_chunk(Ns now) {
    const Chunk* chunk = motion_.chunk();
    if (!chunk) return;
    const std::string words = "chunk " + std::to_string(chunk->number);
    if (now >= chunk->last_due() && motion_.arrived()) {
        motion_.forget_track();
        situation_.go(Mode::STOPPING, words + " is carried out");
    } else if (now >= chunk->expires) {
        halt("age", "expired", words + format(" outlived its %g s", seconds(chunk->expires - chunk->t0)));
    }
}

// Once the arm stands, the mode says what it stands for.
void Controller::settle() {
    if (situation_.mode() != Mode::STOPPING || !motion_.standing()) return;
    if (situation_.fault()) situation_.go(Mode::FAULT, situation_.fault()->code);
    else if (!leases_.holder) situation_.go(Mode::READY, "nobody holds the lease");
    else situation_.go(leases_.holder->seq ? Mode::HOLDING : Mode::LEASED, "stands");
}

// Decelerates at the limits; what was commanded is forgotten.
void Controller::halt(const char* stage, const char* code, const std::string& words) {
    if (situation_.mode() == Mode::ACTIVE) {
        report({stage, code, words, motion_.chunk() ? motion_.chunk()->number : 0});
        situation_.go(Mode::STOPPING, words);
    }
    motion_.forget_track();
}

// Stops within the limits, then stays until a supervisor clears it.
void Controller::fault(std::string_view code, const std::string& words) {
    if (!situation_.raise(code, words, now_)) return;
    ++situation_.epoch;
    deserted_.reset();
    halt("fault", "stopped", words);
    if (situation_.mode() != Mode::STOPPING)
        situation_.go(motion_.standing() ? Mode::FAULT : Mode::STOPPING, words);
}

// The arm cannot be led any more: its own stop, at once.
void Controller::drop(std::string_view code, const std::string& words) {
    fault(code, words);
    motion_.start_anew();
    situation_.go(Mode::FAULT, words);
}

// --- what is told ---

void Controller::send(Port port, const std::string& route, const char* kind, Map fields) {
    out_.push_back(stamp_.message(port, route, kind, std::move(fields), now_, situation_.epoch, token()));
}

void Controller::answer(const Incoming& to, const Message& request, const char* kind, Map fields) {
    fields.emplace_back("id", request.whole("id"));
    send(to.port, to.route, kind, std::move(fields));
}

void Controller::tell_event(const char* what, const std::string& detail, Map data) {
    send(Port::state, "event", "event", {{"what", what}, {"detail", brief(detail, 1000)}, {"data", std::move(data)}});
}

void Controller::report(const Report& report) {
    send(Port::state, "report", "report", {{"stage", report.stage}, {"code", report.code}, {"chunk", report.chunk},
                                           {"detail", brief(report.detail, 1000)}});
}

void Controller::tell_state(const Measured& measured, std::size_t index) {
    const Setpoint now = motion_.setpoint();
    Row setpoint{};
    std::copy(now.position.begin(), now.position.end(), setpoint.begin());
    setpoint.back() = now.opening;
    send(Port::state, "state", "state",
         {{"mode", name(situation_.mode())}, {"fault", situation_.fault() ? situation_.fault()->number : 0},
          {"measured", measured.t}, {"position", reals(measured.position)}, {"velocity", reals(measured.velocity)},
          {"opening", reals(std::array{measured.opening})}, {"tool", reals(measured.tool)},
          {"setpoint", reals(setpoint)}, {"chunk", motion_.chunk() ? motion_.chunk()->number : 0},
          {"index", std::uint64_t{index}}, {"inputs", inputs_}, {"generation", measured.generation}, {"late", late_},
          {"worst", worst_}});
}

}  // namespace tandem
