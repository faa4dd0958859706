// One ROUTER of a controller and the thread that serves it: says who sent what, refuses what nobody behind it needs to
// see, and carries the rest to the servo and its answers back. The stop socket has a door of its own: a stop queues
// behind nothing.
#pragma once

#include <map>

#include "security.hpp"
#include "traffic.hpp"

namespace tandem {

// Allows so many messages per second of each peer, and as many at once.
class Rate {
  public:
    explicit Rate(double per_second) : per_second_(per_second) {}
    bool allows(const std::string& identity, Ns now);

  private:
    struct Left {
        double messages;
        Ns at;
    };
    double per_second_;
    std::map<std::string, Left> left_;
};

class Door {
  public:
    // router: bound. pipe: to the servo. Both are this thread's from now on.
    Door(Port port, zmq::socket_t router, zmq::socket_t pipe, const Security& security, Stamp& stamp,
         double per_second);

  private:
    void turn();
    void let_in();
    void look(Incoming& incoming, const std::optional<Peer>& peer, std::size_t frames);
    bool answer_ping(const Incoming& incoming);
    void send(const std::string& route, const std::string& frame);

    const Port port_;
    zmq::socket_t router_, pipe_;
    const Security& security_;
    Stamp& stamp_;
    Rate rate_;
    Worker worker_;
};

// Between a door and the servo: every part of an `Incoming` or `Outgoing` a frame of its own. False when there is no
// room (send) or nothing there (receive).
bool send(zmq::socket_t& pipe, const Incoming& incoming);
bool send(zmq::socket_t& pipe, const Outgoing& outgoing);
bool receive(zmq::socket_t& pipe, Incoming& incoming);

}  // namespace tandem
