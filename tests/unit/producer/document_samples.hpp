// Documents as a broker sends them, for the tests to change.
#pragma once

#include <algorithm>
#include <string>
#include <utility>

#include "proto/value.hpp"

namespace fanmill::producer::sample {

inline void set(Map& map, const std::string& key, Value value) {
  const auto it =
      std::find_if(map.begin(), map.end(), [&](const auto& e) { return e.first == Value(key); });
  if (it == map.end()) {
    map.emplace_back(key, std::move(value));
  } else {
    it->second = std::move(value);
  }
}

inline Map job() {
  return {{"id", "9f3c21ab-3"},
          {"name", "resize"},
          {"key", "k3"},
          {"function", "norm"},
          {"command", Array{}},
          {"names", Array{}},
          {"state", "running"},
          {"reason", ""},
          {"halted", ""},
          {"rounds", 1},
          {"priority", 0},
          {"where", Map{{"gpu", "yes"}}},
          {"age_ms", 192'000},
          {"ended_ms", nullptr},
          {"closed", true},
          {"kept", true},
          {"keep_ms", 604'800'000},
          {"counts", Map{{"accepted", 1000},
                         {"waiting", 578},
                         {"running", 12},
                         {"succeeded", 408},
                         {"failed", 1},
                         {"dead_lettered", 1},
                         {"cancelled", 0}}},
          {"rate", 99.8},
          {"mean_ns", 10'000'000},
          {"eta_ms", 6000},
          {"producer", "me@here pid 123"},
          {"tuple_bytes", 1 << 20},
          {"result_bytes", 3 << 10}};
}

inline Map detail() {
  Map map = job();
  set(map, "signature", "(x: float) -> float");
  set(map, "workers", Array{Map{{"name", "w1"}, {"host", "here"}, {"slots", 4}, {"leased", 12}}});
  set(map, "readers",
      Array{Map{{"who", "you@there pid 9"}, {"order", "input"}, {"cursor", 400}, {"behind", 10}}});
  return map;
}

inline Map worker() {
  return {{"name", "w1"},
          {"host", "here"},
          {"pid", 77},
          {"version", "0.1.0"},
          {"slots", 4},
          {"busy", 3},
          {"leased", 12},
          {"labels", Map{{"gpu", "yes"}, {"zone", "a"}}},
          {"functions", Array{Map{{"name", "norm"}, {"signature", "(x: float) -> float"}}}},
          {"state", "active"},
          {"age_ms", 5'400'000},
          {"heard_ms", 300},
          {"done", 4711},
          {"rate", 12.5}};
}

inline Map status() {
  return {{"schema", 1},
          {"version", "0.1.0"},
          {"protocol", 1},
          {"durability", "memory"},
          {"full", false},
          {"addresses", Array{"ipc:///tmp/mill/broker"}},
          {"age_ms", 60'000},
          {"workers", 1},
          {"slots", 4},
          {"busy", 3},
          {"producers", 2},
          {"ventilator",
           Map{{"jobs", 1}, {"waiting", 578}, {"leased", 12}, {"rate", 99.8}, {"recalled", 4}}},
          {"sink", Map{{"recorded", 410},
                       {"rate", 99.8},
                       {"stale", 0},
                       {"unread_bytes", 65536},
                       {"readers", 1}}},
          {"expired_leases", 0},
          {"malformed", 0}};
}

}  // namespace fanmill::producer::sample
