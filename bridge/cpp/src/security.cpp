#include "security.hpp"

#include <arpa/inet.h>

#include <fstream>
#include <iomanip>
#include <sstream>
#include <zmq_addon.hpp>

namespace tandem {
namespace {

constexpr const char* domain = "tandem";
constexpr std::size_t key_length = 40;  // z85

// The lines of a file that is for its owner's eyes alone; comments and empty lines left out.
std::vector<std::string> private_lines(const std::filesystem::path& path) {
    namespace fs = std::filesystem;
    std::ifstream file(path);
    if (!file) throw std::runtime_error(path.string() + " cannot be read; make keys with: python launch/keys.py init");
    if ((fs::status(path).permissions() & (fs::perms::group_all | fs::perms::others_all)) != fs::perms::none)
        throw std::runtime_error(path.string() + " can be read by others; run: chmod 600 " + path.string());
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);) {
        const std::size_t begin = line.find_first_not_of(" \t");
        if (begin != std::string::npos && line[begin] != '#') lines.push_back(line.substr(begin));
    }
    return lines;
}

// The quoted value after `name =` in a line of ZPL; "" when the line is about something else.
std::string value_of(const std::string& line, std::string_view name) {
    std::string word, equals, value;
    std::istringstream(line) >> word >> equals >> std::quoted(value);
    return word == name && equals == "=" ? value : "";
}

// A line of the allow-list: "name" = { role = "...", key = "..." }
Peer allowed_by(const std::string& line, const std::filesystem::path& path) {
    std::string name, equals, brace, role_word, role, comma, key_word, key;
    std::istringstream in(line);
    in >> std::quoted(name) >> equals >> brace >> role_word >> equals >> std::quoted(role) >> comma >> key_word >>
        equals >> std::quoted(key);
    const auto known = role_named(role);
    if (!in || !known || brace != "{" || role_word != "role" || key_word != "key" || key.size() != key_length)
        throw std::runtime_error(path.string() + ": a line is not \"NAME\" = { role = \"ROLE\", key = \"KEY\" } with a "
                                                 "role of observer, commander, supervisor: " + name);
    return {key, *known, name};
}

// What belongs to a secret key (z85); "" when it is none.
std::string public_of(const std::string& secret) {
    std::string key(key_length + 1, '\0');
    if (secret.size() != key_length || zmq_curve_public(key.data(), secret.c_str()) != 0) return "";
    key.resize(key_length);
    return key;
}

zmq::socket_t bound(zmq::context_t& context) {
    zmq::socket_t socket(context, zmq::socket_type::rep);
    socket.set(zmq::sockopt::linger, 0);
    socket.bind("inproc://zeromq.zap.01");
    return socket;
}

std::string printable(std::string text) {
    const auto plain = [](unsigned char c) { return c > 0x20 && c < 0x7F; };
    for (char& c : text)
        if (!plain(static_cast<unsigned char>(c))) c = '?';
    return text;
}

}  // namespace

bool is_loopback(const std::string& host) {
    in_addr four{};
    if (inet_pton(AF_INET, host.c_str(), &four) == 1) return (ntohl(four.s_addr) >> 24) == 127;
    return host == "localhost" || host == "::1" || host == "[::1]";
}

Security Security::curve(const std::filesystem::path& folder) {
    Security security;
    for (const std::string& line : private_lines(folder / "controller.key_secret")) {
        if (const std::string value = value_of(line, "public-key"); !value.empty()) security.public_ = value;
        if (const std::string value = value_of(line, "secret-key"); !value.empty()) security.secret_ = value;
    }
    if (security.secret_.empty() || security.public_ != public_of(security.secret_))
        throw std::runtime_error((folder / "controller.key_secret").string() +
                                 " holds no pair of CURVE keys; make one with: python launch/keys.py init");
    const auto list = folder / "allowed.toml";
    for (const std::string& line : private_lines(list)) {
        const Peer peer = allowed_by(line, list);
        const auto [listed, is_new] = security.allowed_.emplace(peer.identity, peer);
        if (!is_new)
            throw std::runtime_error(list.string() + ": " + listed->second.name + " and " + peer.name +
                                     " have the same key; a key has one name and one role: take one of the lines out");
    }
    return security;
}

void Security::serve(zmq::socket_t& socket) const {
    if (secret_.empty()) return;
    socket.set(zmq::sockopt::curve_server, true);
    socket.set(zmq::sockopt::curve_publickey, public_);
    socket.set(zmq::sockopt::curve_secretkey, secret_);
    socket.set(zmq::sockopt::zap_domain, domain);
}

std::optional<Peer> Security::peer_of(const zmq::message_t& route, zmq::message_t& frame) const {
    if (secret_.empty()) {  // further connections of one process add "/" and a word to what it calls itself
        const std::string told = printable(route.to_string());
        const std::string identity = told.substr(0, told.find('/'));
        return Peer{identity, Role::supervisor, identity.substr(0, identity.find('-'))};
    }
    const auto found = allowed_.find(frame.gets("User-Id"));
    return found == allowed_.end() ? std::nullopt : std::optional(found->second);
}

Zap::Zap(zmq::context_t& context, const Security& security)
    : security_(security), socket_(bound(context)), worker_([this] { answer(); }) {}

void Zap::answer() {
    zmq::pollitem_t item{socket_, 0, ZMQ_POLLIN, 0};
    zmq::poll(&item, 1, std::chrono::milliseconds(Worker::poll_ms));
    if (!(item.revents & ZMQ_POLLIN)) return;
    std::vector<zmq::message_t> asked;  // version, request, domain, address, identity, mechanism, credentials
    if (!zmq::recv_multipart(socket_, std::back_inserter(asked))) return;
    std::string key(key_length + 1, '\0');
    const bool curve = asked.size() == 7 && asked[5].to_string_view() == "CURVE" && asked[6].size() == 32 &&
                       zmq_z85_encode(key.data(), asked[6].data<std::uint8_t>(), 32);
    key.resize(key_length);
    const bool ours = curve && asked[2].to_string_view() == domain && security_.lets_in(key);
    const std::string request = asked.size() > 1 ? asked[1].to_string() : "";
    const std::array<std::string, 6> said{"1.0", request, ours ? "200" : "400", ours ? "OK" : "not on the allow-list",
                                          ours ? key : "", ""};
    for (std::size_t i = 0; i < said.size(); ++i)
        socket_.send(zmq::buffer(said[i]),
                     i + 1 < said.size() ? zmq::send_flags::sndmore : zmq::send_flags::none);
}

}  // namespace tandem
