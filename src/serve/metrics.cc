// SPDX-License-Identifier: MIT
#include "serve/metrics.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string_view>

namespace janus::serve {

namespace {

struct Family {
  std::string_view name;
  std::string_view type;
  std::string_view help;
};

// What may be counted; a family is written also while it has no value.
constexpr std::array<Family, 18> kFamilies = {
    {{"januspro_build_info", "gauge", "What runs: always 1"},
     {"januspro_http_requests_total", "counter", "Requests answered"},
     {"januspro_http_request_duration_seconds", "histogram", "From the head to the last byte"},
     {"januspro_requests_running", "gauge", "Requests that the model works on"},
     {"januspro_requests_waiting", "gauge", "Requests that wait for the model"},
     {"januspro_requests_cancelled_total", "counter", "Requests whose client went away"},
     {"januspro_requests_rejected_total", "counter", "Requests refused for want of room"},
     {"januspro_prompt_tokens_total", "counter", "Tokens of prompts that were run"},
     {"januspro_text_tokens_total", "counter", "Tokens answered"},
     {"januspro_image_tokens_total", "counter", "Codes of pictures drawn"},
     {"januspro_images_total", "counter", "Pictures finished"},
     {"januspro_time_to_first_token_seconds", "histogram", "From the request to the first piece"},
     {"januspro_image_seconds", "histogram", "From a drawing's first step to each picture's end"},
     {"januspro_queue_seconds", "histogram", "From the request to the model's first step"},
     {"januspro_batch_rows", "histogram", "Rows of a drawing's steps"},
     {"januspro_jobs", "gauge", "Jobs that are kept"},
     {"januspro_log_lines_lost_total", "counter", "Lines of the log that nobody took"},
     {"januspro_kv_cache_usage_ratio", "gauge",
      "Of the room for keys and values, what is in use"}}};

constexpr std::array<double, 12> kSeconds = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
                                             0.5,   1,    2.5,   5,    10,  60};
constexpr std::array<double, 12> kRows = {1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128};

const std::array<double, 12>& bounds_of(std::string_view name) {
  return name.ends_with("_rows") ? kRows : kSeconds;
}

std::string number(double value) {
  std::ostringstream text;
  text.precision(15);
  text << value;
  return text.str();
}

void line(std::string& out, const std::string& name, const std::string& labels, double value) {
  out += name;
  if (!labels.empty()) out += "{" + labels + "}";
  out += " " + number(value) + "\n";
}

std::string with(const std::string& labels, const std::string& more) {
  return labels.empty() ? more : labels + "," + more;
}

}  // namespace

std::string Metrics::label(const std::string& name, const std::string& value) {
  std::string text = name + "=\"";
  for (const char c : value) {
    if (c == '\n') {
      text += "\\n";
      continue;
    }
    if (c == '"' || c == '\\') text += '\\';
    text += c;
  }
  return text + "\"";
}

void Metrics::add(const std::string& name, const std::string& labels, double value) {
  const std::lock_guard lock(mutex_);
  values_[name][labels] += value;
}

void Metrics::set(const std::string& name, const std::string& labels, double value) {
  const std::lock_guard lock(mutex_);
  values_[name][labels] = value;
}

void Metrics::observe(const std::string& name, const std::string& labels, double value) {
  const auto& bounds = bounds_of(name);
  const auto at = static_cast<size_t>(
      std::distance(bounds.begin(), std::lower_bound(bounds.begin(), bounds.end(), value)));
  const std::lock_guard lock(mutex_);
  Histogram& histogram = histograms_[name][labels];
  histogram.counts.resize(bounds.size() + 1);
  ++histogram.counts[at];
  histogram.sum += value;
}

double Metrics::value(const std::string& name, const std::string& labels) const {
  const std::lock_guard lock(mutex_);
  const auto family = values_.find(name);
  if (family == values_.end()) return 0;
  const auto found = family->second.find(labels);
  return found == family->second.end() ? 0 : found->second;
}

std::string Metrics::text() const {
  const std::lock_guard lock(mutex_);
  std::string out;
  for (const Family& family : kFamilies) {
    const std::string name(family.name);
    out += "# HELP " + name + " " + std::string(family.help) + "\n";
    out += "# TYPE " + name + " " + std::string(family.type) + "\n";
    if (const auto found = values_.find(name); found != values_.end()) {
      for (const auto& [labels, value] : found->second) line(out, name, labels, value);
    }
    const auto found = histograms_.find(name);
    if (found == histograms_.end()) continue;
    for (const auto& [labels, histogram] : found->second) {
      int64_t sum = 0;
      const auto& bounds = bounds_of(name);
      for (size_t i = 0; i < bounds.size(); ++i) {
        sum += histogram.counts[i];
        line(out, name + "_bucket", with(labels, label("le", number(bounds[i]))),
             static_cast<double>(sum));
      }
      const auto count = static_cast<double>(sum + histogram.counts.back());
      line(out, name + "_bucket", with(labels, "le=\"+Inf\""), count);
      line(out, name + "_sum", labels, histogram.sum);
      line(out, name + "_count", labels, count);
    }
  }
  return out;
}

std::string process_metrics() {
  std::string out;
  const auto add = [&](const std::string& name, const char* type, double value) {
    out += "# TYPE " + name + " " + type + "\n";
    line(out, name, "", value);
  };
  const auto page = static_cast<double>(sysconf(_SC_PAGESIZE));
  const auto tick = static_cast<double>(sysconf(_SC_CLK_TCK));
  int64_t all = 0, resident = 0;
  if (std::ifstream("/proc/self/statm") >> all >> resident) {
    add("process_resident_memory_bytes", "gauge", static_cast<double>(resident) * page);
  }
  std::ifstream stat("/proc/self/stat");
  const std::string text((std::istreambuf_iterator<char>(stat)), {});
  // Behind the program's name in brackets: field 3 on; 14 and 15 are time, 22 the start.
  std::istringstream fields(text.substr(std::min(text.size(), text.rfind(')') + 2)));
  const std::vector<std::string> all_fields((std::istream_iterator<std::string>(fields)), {});
  if (all_fields.size() > 20) {
    add("process_cpu_seconds_total", "counter",
        (std::stod(all_fields[11]) + std::stod(all_fields[12])) / tick);
    double boot = 0;
    std::ifstream system("/proc/stat");
    for (std::string word; system >> word;) {
      if (word == "btime" && system >> boot) break;
    }
    add("process_start_time_seconds", "gauge", boot + std::stod(all_fields[19]) / tick);
  }
  std::error_code none;
  const std::filesystem::directory_iterator open("/proc/self/fd", none);
  if (!none) {
    add("process_open_fds", "gauge",
        static_cast<double>(std::distance(open, std::filesystem::directory_iterator())));
  }
  return out;
}

}  // namespace janus::serve
