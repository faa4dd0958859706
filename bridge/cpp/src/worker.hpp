// A thread that does one thing over and over until its owner goes.
#pragma once

#include <atomic>
#include <functional>
#include <thread>

namespace tandem {

class Worker {
  public:
    // turn: waits for work no longer than about 0.1 s.
    explicit Worker(std::function<void()> turn)
        : thread_([this, turn = std::move(turn)] {
              while (!over_) turn();
          }) {}
    Worker(const Worker&) = delete;
    ~Worker() {
        over_ = true;
        thread_.join();
    }

    static constexpr int poll_ms = 100;

  private:
    std::atomic<bool> over_{false};
    std::thread thread_;  // last: it reads the flag
};

}  // namespace tandem
