// Decodes each message on standard input (a line of hexadecimal) and writes its encoding, or why it is refused: how the
// tests compare this codec with the one in Python, byte for byte.
#include <algorithm>
#include <cctype>
#include <iostream>

#include "codec.hpp"
#include "refusal.hpp"

namespace {

constexpr std::size_t max_reply = 4 << 20;  // bytes of a message from a controller

std::string bytes_of(const std::string& hexadecimal) {
    std::string bytes;
    for (std::size_t i = 0; i + 1 < hexadecimal.size(); i += 2)
        bytes.push_back(static_cast<char>(std::stoi(hexadecimal.substr(i, 2), nullptr, 16)));
    return bytes;
}

std::string hexadecimal_of(const std::string& bytes) {
    constexpr char digits[] = "0123456789abcdef";
    std::string text;
    for (const unsigned char byte : bytes) {
        text.push_back(digits[byte / 16]);
        text.push_back(digits[byte % 16]);
    }
    return text;
}

}  // namespace

int main() {
    for (std::string line; std::getline(std::cin, line);) {
        try {
            std::cout << hexadecimal_of(tandem::encode(tandem::decode(bytes_of(line), max_reply))) << '\n';
        } catch (const tandem::Refused& refused) {
            std::string words = refused.detail;  // somebody else's may hold the end of a line
            std::replace_if(words.begin(), words.end(), [](unsigned char c) { return std::iscntrl(c); }, ' ');
            std::cout << refused.reason.code << ": " << words << '\n';
        }
    }
}
