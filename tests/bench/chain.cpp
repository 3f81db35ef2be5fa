// The floor for fanmill's design: the bare path of its private run, with nothing kept.
//
//   producer thread --DEALER/ROUTER--> broker thread --DEALER--> agent thread --socketpair--> 2
//   executor processes, and back
//
// Tuples are (int, 12-char string); the executor decodes each, calls a no-op and encodes the int;
// the producer decodes every result into its place and checks it. No retries, no store, no leases,
// no ordering beyond the index.
//
//   ./chain TASKS TASKS_PER_MESSAGE MESSAGES_IN_FLIGHT [inproc|ipc]     prints one JSON line; 1 1
//   gives the round trip
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <deque>
#include <msgpack.hpp>
#include <string>
#include <thread>
#include <vector>
#include <zmq.hpp>

struct Header {
  uint64_t first;
  uint32_t count;
  uint32_t bytes;
};

static bool read_all(int fd, void* to, size_t n) {
  for (char* p = static_cast<char*>(to); n > 0;) {
    const ssize_t k = read(fd, p, n);
    if (k <= 0) return false;
    p += k, n -= static_cast<size_t>(k);
  }
  return true;
}

static void write_frame(int fd, Header h, const char* body) {
  const size_t total = sizeof h + h.bytes;
  for (size_t done = 0; done < total;) {
    iovec v[2] = {{&h, sizeof h}, {const_cast<char*>(body), h.bytes}};
    iovec* from = v;
    if (done < sizeof h) {
      v[0] = {reinterpret_cast<char*>(&h) + done, sizeof h - done};
    } else {
      v[1] = {const_cast<char*>(body) + (done - sizeof h), total - done};
      from = v + 1;
    }
    const ssize_t k = writev(fd, from, static_cast<int>(v + 2 - from));
    if (k < 0) _exit(3);
    done += static_cast<size_t>(k);
  }
}

struct TupleVisitor : msgpack::null_visitor {
  int64_t number = 0;
  const char* text = nullptr;
  uint32_t text_bytes = 0;
  bool visit_positive_integer(uint64_t v) {
    number = static_cast<int64_t>(v);
    return true;
  }
  bool visit_str(const char* v, uint32_t n) {
    text = v, text_bytes = n;
    return true;
  }
};

__attribute__((noinline)) static int64_t no_op(int64_t i, const char*, uint32_t) {
  asm volatile("");
  return i;
}

[[noreturn]] static void executor(int fd) {
  std::vector<char> in;
  msgpack::sbuffer out;
  for (Header h; read_all(fd, &h, sizeof h);) {
    in.resize(h.bytes);
    if (!read_all(fd, in.data(), h.bytes)) break;
    out.clear();
    msgpack::packer<msgpack::sbuffer> pack(out);
    size_t at = 0;
    for (uint32_t k = 0; k < h.count; ++k) {
      TupleVisitor v;
      msgpack::parse(in.data(), h.bytes, at, v);
      pack.pack(no_op(v.number, v.text, v.text_bytes));
    }
    write_frame(fd, {h.first, h.count, static_cast<uint32_t>(out.size())}, out.data());
  }
  _exit(0);
}

static void send2(zmq::socket_t& s, const void* a, size_t na, const void* b, size_t nb) {
  s.send(zmq::const_buffer(a, na), zmq::send_flags::sndmore);
  s.send(zmq::const_buffer(b, nb), zmq::send_flags::none);
}

static void unbounded(zmq::socket_t& s) {
  s.set(zmq::sockopt::rcvhwm, 0), s.set(zmq::sockopt::sndhwm, 0);
}

int main(int argc, char** argv) {
  if (argc < 4)
    return std::fprintf(stderr,
                        "usage: chain TASKS TASKS_PER_MESSAGE MESSAGES_IN_FLIGHT [inproc|ipc]\n"),
           2;
  const uint64_t tasks = std::stoull(argv[1]);
  const uint32_t batch = static_cast<uint32_t>(std::stoul(argv[2]));
  const int window = std::stoi(argv[3]);
  const bool ipc = argc > 4 && std::string(argv[4]) == "ipc";
  const std::string endpoint = ipc ? "ipc://@chain-" + std::to_string(getpid()) : "inproc://chain";

  int fds[2];
  pid_t pids[2];
  for (int e = 0; e < 2; ++e) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) return 3;
    const int bytes = 1 << 20;
    for (int fd : pair) setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    pids[e] = fork();
    if (pids[e] == 0) {
      close(pair[0]);
      for (int q = 0; q < e; ++q) close(fds[q]);
      executor(pair[1]);
    }
    close(pair[1]);
    fds[e] = pair[0];
  }

  zmq::context_t context;
  zmq::socket_t router(context, ZMQ_ROUTER);
  unbounded(router);
  router.bind(endpoint);
  std::thread broker([&] {
    std::string producer_id, agent_id;
    for (uint64_t done = 0; done < tasks;) {
      zmq::message_t id, head, body;
      (void)router.recv(id), (void)router.recv(head), (void)router.recv(body);
      if (head.size() == 1) {  // A hello: 'P' or 'A'.
        (*head.data<char>() == 'P' ? producer_id : agent_id) = id.to_string();
        if (!producer_id.empty() && !agent_id.empty()) {
          router.send(zmq::buffer(producer_id), zmq::send_flags::sndmore);
          router.send(zmq::str_buffer("go"), zmq::send_flags::none);
        }
        continue;
      }
      const bool result = id.to_string_view() == agent_id;
      if (result) done += head.data<Header>()->count;
      router.send(zmq::buffer(result ? producer_id : agent_id), zmq::send_flags::sndmore);
      router.send(head, zmq::send_flags::sndmore);
      router.send(body, zmq::send_flags::none);
    }
  });

  std::thread agent([&] {
    zmq::socket_t dealer(context, ZMQ_DEALER);
    unbounded(dealer);
    dealer.connect(endpoint);
    send2(dealer, "A", 1, "", 0);
    struct Work {
      Header head;
      zmq::message_t body;
    };
    std::deque<Work> waiting;
    int load[2] = {0, 0};
    for (uint64_t done = 0; done < tasks;) {
      zmq::pollitem_t items[3] = {{dealer.handle(), 0, ZMQ_POLLIN, 0},
                                  {nullptr, fds[0], ZMQ_POLLIN, 0},
                                  {nullptr, fds[1], ZMQ_POLLIN, 0}};
      zmq::poll(items, 3, std::chrono::milliseconds(-1));
      for (zmq::message_t head, body;
           items[0].revents && dealer.recv(head, zmq::recv_flags::dontwait);) {
        (void)dealer.recv(body);
        waiting.push_back({*head.data<Header>(), std::move(body)});
      }
      for (int e = 0; e < 2; ++e) {
        if (!items[1 + e].revents) continue;
        Header h;
        if (!read_all(fds[e], &h, sizeof h)) _exit(4);
        zmq::message_t body(h.bytes);
        read_all(fds[e], body.data(), h.bytes);
        --load[e], done += h.count;
        dealer.send(zmq::const_buffer(&h, sizeof h), zmq::send_flags::sndmore);
        dealer.send(body, zmq::send_flags::none);
      }
      while (!waiting.empty()) {
        const int e = load[0] <= load[1] ? 0 : 1;
        if (load[e] >= 3) break;
        ++load[e];
        write_frame(fds[e], waiting.front().head, waiting.front().body.data<char>());
        waiting.pop_front();
      }
    }
  });

  zmq::socket_t producer(context, ZMQ_DEALER);
  unbounded(producer);
  producer.connect(endpoint);
  send2(producer, "P", 1, "", 0);
  zmq::message_t head, body;
  (void)producer.recv(head);
  std::vector<std::pair<int64_t, std::string>> in(tasks);
  for (uint64_t i = 0; i < tasks; ++i) in[i] = {static_cast<int64_t>(i), "task-payload"};
  std::vector<int64_t> out(tasks, -1);
  msgpack::sbuffer buffer;
  int in_flight = 0;
  const auto start = std::chrono::steady_clock::now();
  for (uint64_t sent = 0, got = 0; got < tasks;) {
    for (; sent < tasks && in_flight < window; ++in_flight) {
      const uint32_t n = static_cast<uint32_t>(std::min<uint64_t>(batch, tasks - sent));
      buffer.clear();
      msgpack::packer<msgpack::sbuffer> pack(buffer);
      for (uint32_t k = 0; k < n; ++k) pack.pack(in[sent + k]);
      const Header h{sent, n, static_cast<uint32_t>(buffer.size())};
      send2(producer, &h, sizeof h, buffer.data(), buffer.size());
      sent += n;
    }
    (void)producer.recv(head);
    do {
      (void)producer.recv(body);
      const Header h = *head.data<Header>();
      size_t at = 0;
      for (uint32_t k = 0; k < h.count; ++k) {
        TupleVisitor v;
        msgpack::parse(body.data<char>(), body.size(), at, v);
        out[h.first + k] = v.number;
      }
      got += h.count, --in_flight;
    } while (producer.recv(head, zmq::recv_flags::dontwait));
  }
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  for (uint64_t i = 0; i < tasks; ++i)
    if (out[i] != static_cast<int64_t>(i))
      return std::fprintf(stderr, "chain: wrong result at %llu\n",
                          static_cast<unsigned long long>(i)),
             1;
  std::printf(
      "{\"system\": \"chain\", \"transport\": \"%s\", \"tasks\": %llu, \"batch\": %u, \"window\": "
      "%d, \"tasks_s\": %.0f, \"us_per_round\": %.1f}\n",
      ipc ? "ipc" : "inproc", static_cast<unsigned long long>(tasks), batch, window,
      tasks / seconds, seconds * 1e6 * batch * window / static_cast<double>(tasks));
  std::fflush(stdout);
  broker.join(), agent.join();
  for (int e = 0; e < 2; ++e) close(fds[e]), waitpid(pids[e], nullptr, 0);
  _exit(0);
}
