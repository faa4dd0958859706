// The command line.
#pragma once

#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>

namespace tandem {

struct Options {
    int port = 0;  // of the control socket, the other four follow; 0 for any that are free
    std::string bind = "127.0.0.1";
    std::optional<std::filesystem::path> keys;

    static Options parse(int count, char** words) {
        Options options;
        for (int i = 1; i < count; i += 2) {
            const std::string name = words[i];
            if (i + 1 == count || (name != "--port" && name != "--bind" && name != "--keys"))
                throw std::runtime_error("usage: tandem-controller [--port N (0: any free)] [--bind HOST] "
                                         "[--keys FOLDER]");
            const std::string value = words[i + 1];
            if (name == "--bind") options.bind = value;
            else if (name == "--keys") options.keys = value;
            else options.port = port_of(value);
        }
        return options;
    }

  private:
    static int port_of(const std::string& text) {
        const bool digits = !text.empty() && text.size() <= 5 && text.find_first_not_of("0123456789") == text.npos;
        const int port = digits ? std::stoi(text) : -1;
        if (port < 0 || port > 65531)
            throw std::runtime_error("--port is 0 to 65531 (five ports in a row), got " + text);
        return port;
    }
};

}  // namespace tandem
