// What policies keep from the origin, on traces of viewers: by a model that knows blocks by number only, and asks the
// product's own code for what it decides.
//
//   cache-model FILMS VIEWERS REQUESTS MIN_USES TRACE… MEMORY/RING… POLICY…
//
// A TRACE is a name and settings of it, as `films,zipf=0.8`. MEMORY and RING are in per cent of all blocks; MIN_USES is
// what disk-admission.ts asks of a block. Each trace, cell and policy makes a line of JSON: the shares of requests that
// were found in memory and in the ring, and writes to the ring for a request. The second half of the requests counts.
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "../../native/test/model/run.h"

namespace {

using namespace model;

struct Cell {
  std::string name;
  Sizes sizes;
};

Habits HabitsOf(const std::string& text) {
  Habits habits;
  const std::map<std::string, double*> settings = {{"zipf", &habits.zipf},         {"start", &habits.fromStart},
                                                   {"length", &habits.length},     {"crawlers", &habits.crawlers},
                                                   {"crowd", &habits.crowd},       {"forgotten", &habits.forgotten},
                                                   {"loop", &habits.loop}};
  for (size_t at = text.find(','); at != std::string::npos;) {
    const size_t end = text.find(',', at + 1);
    const std::string setting = text.substr(at + 1, end == std::string::npos ? end : end - at - 1);
    const size_t equals = setting.find('=');
    *settings.at(setting.substr(0, equals)) = std::atof(setting.c_str() + equals + 1);
    at = end;
  }
  return habits;
}

}  // namespace

int main(int count, char** words) {
  if (count < 8) return 2;
  const auto films = static_cast<uint32_t>(std::atoi(words[1]));
  const auto viewers = static_cast<uint32_t>(std::atoi(words[2]));
  const auto requests = static_cast<size_t>(std::atof(words[3]));
  const double minUses = std::atof(words[4]);
  std::vector<std::string> traces;
  std::vector<Cell> cells;
  std::vector<std::string> policies;
  for (int i = 5; i < count; i++) {
    const std::string word = words[i];
    if (const size_t slash = word.find('/'); slash != std::string::npos) {
      const auto share = [&](const char* text) {
        return static_cast<uint32_t>(std::atof(text) / 100 * films * kFilmBlocks);
      };
      cells.push_back({word, {std::max(1u, share(words[i])), share(words[i] + slash + 1)}});
    } else if (word.find(',') != std::string::npos) {
      traces.push_back(word);
    } else {
      policies.push_back(word);
    }
  }
  for (const std::string& name : traces) {
    const Trace trace = MakeTrace(films, viewers, requests, HabitsOf(name));
    std::vector<uint32_t> next;
    for (const Cell& cell : cells) {
      for (const std::string& policy : policies) {
        if (policy == "belady" && next.empty()) next = NextUses(trace);
        const bool isBelady = policy == "belady";
        const Found found = isBelady ? RunBelady(trace, next, cell.sizes) : Run(trace, cell.sizes, policy, minUses);
        std::printf(R"({"trace":"%s","cell":"%s","policy":"%s",)", name.c_str(), cell.name.c_str(), policy.c_str());
        std::printf("\"memory\":%.5f,\"ring\":%.5f,\"writes\":%.5f}\n", found.memory, found.ring, found.writes);
        std::fflush(stdout);
      }
    }
  }
  return 0;
}
