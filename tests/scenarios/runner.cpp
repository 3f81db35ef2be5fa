// Plays scenario files against the broker's core: `scenarios [--rewrite] FILE…`. A file is a story
// in comments and blocks of
//
//   COMMAND ARGUMENT… NAME=VALUE…      (one a line)
//   ----
//   the duties that follow, one a line
//
// with an empty line after each. --rewrite puts what the core does now into the files: read the
// difference before believing it. The commands are those of perform() below; a duty's text is made
// by tests/unit/broker/duty_text.cpp, after "write", "now" (send_now) or "after" (send_after).
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "tests/unit/broker/stage.hpp"

namespace fanmill::broker {
namespace {

struct Command {
  std::vector<std::string> words;
  std::map<std::string, std::string> options;

  const std::string& word(std::size_t i) const {
    if (i < words.size()) return words[i];
    fmt::print(stderr, "the command '{}' needs more words\n", words.empty() ? "" : words[0]);
    std::exit(2);
  }
  std::uint64_t number(std::size_t i) const { return std::stoull(word(i)); }
  std::string option(const std::string& name, const std::string& otherwise) const {
    const auto it = options.find(name);
    return it == options.end() ? otherwise : it->second;
  }
  std::uint64_t number(const std::string& name, std::uint64_t otherwise) const {
    return std::stoull(option(name, std::to_string(otherwise)));
  }
};

Command parse(const std::string& line) {
  Command command;
  std::istringstream in(line);
  for (std::string word; in >> word;) {
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos) {
      command.words.push_back(word);
    } else {
      command.options[word.substr(0, equals)] = word.substr(equals + 1);
    }
  }
  return command;
}

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> parts;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, at);) parts.push_back(part);
  return parts;
}

// "0-3,7": the tasks 0, 1, 2 and 7.
std::vector<IndexRange> ranges(const std::string& text) {
  std::vector<IndexRange> all;
  for (const std::string& part : split(text, ',')) {
    const std::vector<std::string> ends = split(part, '-');
    const std::uint64_t first = std::stoull(ends[0]);
    const std::uint64_t end = ends.size() > 1 ? std::stoull(ends[1]) : first + 1;
    all.push_back({{first}, end - first});
  }
  return all;
}

Outcome outcome(const std::string& name) {
  if (name == "succeeded") return Outcome::kSucceeded;
  if (name == "failed") return Outcome::kFailed;
  if (name == "crashed") return Outcome::kCrashed;
  if (name == "time-limit") return Outcome::kTimeLimit;
  fmt::print(stderr, "unknown outcome {}\n", name);
  std::exit(2);
}

JobOptions job_options(const Command& c) {
  JobOptions options;
  options.spec.function = c.option("function", "f");
  options.forget_when_delivered = c.option("kept", "no") == "no";
  options.rows_with_tuples = c.option("tuples", "no") == "yes";
  options.retries = static_cast<std::uint32_t>(c.number("retries", 0));
  options.priority = static_cast<std::int32_t>(c.number("priority", 0));
  options.wait_workers_ms = c.number("wait", 0);
  return options;
}

std::vector<std::uint64_t> tokens(const std::string& text) {
  std::vector<std::uint64_t> all;
  for (const std::string& part : split(text, ',')) all.push_back(std::stoull(part));
  return all;
}

void perform(Stage& stage, const Command& c, std::vector<std::string>& hidden) {
  const std::string& verb = c.word(0);
  if (verb == "worker") {  // worker NAME slots=N functions=a,b credit=TASKS
    stage.add_worker(c.word(1), static_cast<std::uint32_t>(c.number("slots", 1)),
                     split(c.option("functions", "f"), ','),
                     {c.number("credit", 1000000), c.number("credit-bytes", 1 << 30)});
  } else if (verb == "producer") {  // producer NAME; again: a connection of its own
    stage.add_producer(c.word(1));
  } else if (verb == "open") {  // open PRODUCER KEY function= kept=yes tuples=yes retries= wait=
    stage.open(c.word(1), c.word(2), job_options(c));
  } else if (verb == "submit") {  // submit PRODUCER JOB FIRST COUNT
    stage.submit(c.word(1), c.number(2), c.number(3), c.number(4), c.number("tuple-bytes", 4));
  } else if (verb == "close") {  // close PRODUCER JOB TOTAL
    stage.close(c.word(1), c.number(2), c.number(3));
  } else if (verb == "cancel") {  // cancel PRODUCER JOB grace=MS
    stage.cancel(c.word(1), c.number(2), c.number("grace", 5000));
  } else if (verb == "gather") {  // gather PRODUCER JOB cursor= window=BYTES order=as-completed
    stage.gather(c.word(1), c.number(2), c.number("cursor", 0),
                 c.option("order", "input") == "input" ? RowOrder::kInput : RowOrder::kAsCompleted,
                 c.number("window", 1 << 20));
  } else if (verb == "ack") {  // ack PRODUCER JOB CURSOR
    stage.ack(c.word(1), c.number(2), c.number(3));
  } else if (verb == "done") {  // done WORKER TOKEN FIRST COUNT outcome= us=PER_TASK bytes= report=
    stage.results(c.word(1), c.number(2), c.number(3), c.number(4),
                  outcome(c.option("outcome", "succeeded")),
                  std::chrono::microseconds(c.number("us", 1000)), c.number("bytes", 10),
                  c.number("report", 0));
  } else if (verb == "returned") {  // returned WORKER TOKEN FIRST-END,… recall=N
    stage.returned(c.word(1), c.number(2), ranges(c.word(3)),
                   static_cast<std::uint32_t>(c.number("recall", 0)));
  } else if (verb == "running") {  // running WORKER TOKEN INDEX: its next heartbeats name it
    stage.worker(c.word(1)).running.push_back(
        {Stage::job_id(c.number("job", 1)), {1, c.number(2)}, {c.number(3)}});
  } else if (verb == "heartbeat") {  // heartbeat WORKER list=yes
    stage.heartbeat(c.word(1), c.option("list", "no") == "yes");
  } else if (verb == "lose") {  // lose WORKER TOKEN: that lease never arrived
    stage.lose_lease(c.word(1), c.number(2));
  } else if (verb == "reconnect") {  // reconnect WORKER claims=TOKEN,…
    stage.reconnect(c.word(1), tokens(c.option("claims", "")));
  } else if (verb == "goodbye") {
    stage.goodbye(c.word(1));
  } else if (verb == "gone") {
    stage.gone(c.word(1));
  } else if (verb == "pass") {  // pass MS heartbeats=WORKER: with one every two seconds
    std::chrono::milliseconds left(c.number(1));
    const std::string beating = c.option("heartbeats", "");
    for (; !beating.empty() && left >= 2s; left -= 2s) {
      stage.pass(2s);
      stage.heartbeat(beating);
    }
    stage.pass(left);
  } else if (verb == "pause") {  // pause MS: the broker's loop stood still
    stage.pause(std::chrono::milliseconds(c.number(1)));
  } else if (verb == "store") {  // store slow: nothing is durable before `commit`
    stage.commits_at_once = c.word(1) != "slow";
  } else if (verb == "commit") {
    stage.commit();
  } else if (verb == "hide") {  // hide KIND: duties of this kind are not shown from now on
    hidden.push_back(c.word(1));
  } else {
    fmt::print(stderr, "unknown command '{}'\n", verb);
    std::exit(2);
  }
}

bool is_hidden(const std::string& line, const std::vector<std::string>& hidden) {
  const std::size_t colon = line.find(": ");
  const std::size_t at =
      line.rfind("write ", 0) == 0 ? 6 : (colon == std::string::npos ? 0 : colon + 2);
  const std::string kind = line.substr(at, line.find(' ', at) - at);
  for (const std::string& name : hidden)
    if (name == kind) return true;
  return false;
}

std::string play(const std::string& text) {
  std::istringstream in(text);
  std::string out;
  Stage stage;
  std::vector<std::string> hidden;
  bool expecting = false;  // between "----" and the next empty line
  for (std::string line; std::getline(in, line);) {
    if (expecting) {
      if (!line.empty()) continue;
      expecting = false;
    }
    out += line + "\n";
    if (line == "----") {
      expecting = true;
      for (const std::string& duty : stage.take())
        if (!is_hidden(duty, hidden)) out += duty + "\n";
      continue;
    }
    if (!line.empty() && line[0] != '#') perform(stage, parse(line), hidden);
  }
  return out;
}

bool show_difference(const std::string& file, const std::string& expected,
                     const std::string& actual) {
  if (expected == actual) return true;
  std::istringstream a(expected);
  std::istringstream b(actual);
  std::string line_a;
  std::string line_b;
  for (int number = 1;; ++number) {
    const bool more_a = static_cast<bool>(std::getline(a, line_a));
    const bool more_b = static_cast<bool>(std::getline(b, line_b));
    if (more_a && more_b && line_a == line_b) continue;
    fmt::print("{}:{}: expected '{}'\n  but came '{}'\nthe whole:\n{}", file, number,
               more_a ? line_a : "(the end)", more_b ? line_b : "(the end)", actual);
    return false;
  }
}

}  // namespace
}  // namespace fanmill::broker

int main(int argc, char** argv) {
  bool rewrite = false;
  bool good = true;
  for (int i = 1; i < argc; ++i) {
    const std::string file = argv[i];
    if (file == "--rewrite") {
      rewrite = true;
      continue;
    }
    std::ifstream in(file);
    if (!in) {
      fmt::print(stderr, "cannot read {}\n", file);
      return 2;
    }
    const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    const std::string played = fanmill::broker::play(text);
    if (rewrite) {
      std::ofstream(file) << played;
    } else {
      good = fanmill::broker::show_difference(file, text, played) && good;
    }
  }
  return good ? 0 : 1;
}
