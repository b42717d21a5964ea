// Metrics: counters, gauges and histograms of the server, written as Prometheus' text format 0.0.4.
// From any thread. SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace janus::serve {

class Metrics {
 public:
  // Labels as they stand between the braces: `kind="chat"`; label() writes one.
  void add(const std::string& name, const std::string& labels, double value = 1);
  void set(const std::string& name, const std::string& labels, double value);
  void observe(const std::string& name, const std::string& labels, double value);
  double value(const std::string& name, const std::string& labels) const;

  std::string text() const;

  static std::string label(const std::string& name, const std::string& value);

 private:
  struct Histogram {
    std::vector<int64_t> counts;  // of each bound, and of what is above all
    double sum = 0;
  };

  mutable std::mutex mutex_;
  std::map<std::string, std::map<std::string, double>> values_;
  std::map<std::string, std::map<std::string, Histogram>> histograms_;
};

// Of this process, as everywhere: memory, time, descriptors. Linux's /proc; what it lacks is left
// out.
std::string process_metrics();

}  // namespace janus::serve
