// A camera that sees a flat wall, 25 times a second. A real one fills the same frames from a thread or process of its
// own; the servo loop knows nothing of pictures.
#pragma once

#include <cstring>

#include "driver.hpp"
#include "security.hpp"
#include "traffic.hpp"

namespace tandem {

class FlatCameras {
  public:
    // media: the bound PUB; this thread's from now on.
    FlatCameras(zmq::socket_t media, std::string session)
        : media_(std::move(media)), session_(std::move(session)), worker_([this] { take_pictures(); }) {}

  private:
    void take_pictures() {
        std::this_thread::sleep_for(std::chrono::milliseconds(40));
        ++count_;
        for (const spec::Camera& camera : spec::cameras) {
            const std::size_t pixels = camera.width * camera.height;
            std::string colours(3 * pixels, static_cast<char>(count_ % 200));
            std::memset(colours.data(), 255, 3);  // never uniform: a uniform picture is a dead camera
            send("image", camera, "|u1", {camera.height, camera.width, std::uint64_t{3}}, colours);
            if (!camera.depth) continue;
            const std::vector<float> wall(pixels, wall_m);
            const std::string_view metres(reinterpret_cast<const char*>(wall.data()), pixels * sizeof(float));
            send("depth", camera, "<f4", {camera.height, camera.width}, metres);
        }
    }

    void send(const char* what, const spec::Camera& camera, const char* dtype, Array shape, std::string_view data) {
        const std::string key = std::string(what) + "." + std::string(camera.name);
        const Message header{"frame", {{"camera", camera.name}, {"key", key}, {"encoding", "raw"}, {"dtype", dtype},
                                       {"shape", std::move(shape)}},
                             session_, 0, 0, count_, static_cast<std::uint64_t>(monotonic_now())};
        media_.send(zmq::buffer(key), zmq::send_flags::sndmore | zmq::send_flags::dontwait);
        media_.send(zmq::buffer(encode(header)), zmq::send_flags::sndmore | zmq::send_flags::dontwait);
        media_.send(zmq::buffer(data), zmq::send_flags::dontwait);
    }

    static constexpr float wall_m = 0.8F;
    zmq::socket_t media_;
    const std::string session_;
    std::uint64_t count_ = 0;  // pictures of each key so far: their seq
    Worker worker_;
};

}  // namespace tandem
