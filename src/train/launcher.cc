// See launcher.h. SPDX-License-Identifier: MIT
#include "train/launcher.h"

#include <charconv>
#include <cstdint>

#include "base/error.h"

namespace janus::train {
namespace {

constexpr int kUsualPort = 29500;  // as torchrun's
constexpr int kMostProcesses = 65536;

class Reader {
 public:
  Reader(const Variables& variables, std::string launcher)
      : variables_(variables), launcher_(std::move(launcher)) {}

  std::optional<std::string> text(const std::string& name) const {
    const auto found = variables_(name);
    return found && !found->empty() ? found : std::nullopt;
  }

  std::optional<int> number(const std::string& name, int least, int most) const {
    const auto found = text(name);
    if (!found) return std::nullopt;
    int value = 0;
    const auto [end, error] = std::from_chars(found->data(), found->data() + found->size(), value);
    check(error == std::errc() && end == found->data() + found->size() && value >= least &&
              value <= most,
          Code::bad_input, launcher_, ": ", name, " = ", *found, " is no number from ", least,
          " to ", most);
    return value;
  }

  int needed(const std::string& name, int least, int most) const {
    const auto found = number(name, least, most);
    check(found.has_value(), Code::bad_input, launcher_, ": ", name,
          " is missing beside its other variables; start every process by the launcher, or unset "
          "them all to train in this process alone");
    return *found;
  }

 private:
  const Variables& variables_;
  std::string launcher_;
};

// A port of its own for a job, so that two on a machine do not meet each other.
int port_of(const std::string& job) {
  uint32_t hash = 2166136261u;
  for (const char c : job) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619u;
  return 20000 + static_cast<int>(hash % 10000);
}

// Where rank 0 listens: as told, else on this machine or on `host`, at a port that follows from the
// job's name.
void meet(const Reader& read, const std::string& host, const std::string& job, Place& place) {
  const auto address = read.text("MASTER_ADDR");
  if (address) {
    place.address = *address;
  } else if (place.local_size < place.size) {
    check(!host.empty(), Code::bad_input, place.launcher, ": its ", place.size,
          " processes are on several machines and MASTER_ADDR, the one of rank 0, is not set");
    place.address = host;
  }
  const int usual = job.empty() ? kUsualPort : port_of(job);
  place.port = read.number("MASTER_PORT", 1, 65535).value_or(usual);
}

Place torchrun(const Variables& variables) {
  Place place;
  place.launcher = "torchrun";
  const Reader read(variables, place.launcher);
  place.size = read.needed("WORLD_SIZE", 1, kMostProcesses);
  place.rank = read.needed("RANK", 0, place.size - 1);
  place.local_size = read.number("LOCAL_WORLD_SIZE", 1, place.size).value_or(place.size);
  const auto address = read.text("MASTER_ADDR");
  check(address.has_value() || place.size == 1, Code::bad_input, place.launcher,
        ": MASTER_ADDR, the machine of rank 0, is not set");
  meet(read, "", "", place);
  place.meeting_is_kept = read.text("TORCHELASTIC_USE_AGENT_STORE").value_or("") == "True";
  place.attempt = read.text("TORCHELASTIC_RESTART_COUNT").value_or("0");
  return place;
}

Place mpirun(const Variables& variables) {
  Place place;
  place.launcher = "mpirun";
  const Reader read(variables, place.launcher);
  const bool open = read.text("OMPI_COMM_WORLD_SIZE").has_value();
  place.size = read.needed(open ? "OMPI_COMM_WORLD_SIZE" : "PMI_SIZE", 1, kMostProcesses);
  place.rank = read.needed(open ? "OMPI_COMM_WORLD_RANK" : "PMI_RANK", 0, place.size - 1);
  place.local_size =
      read.number(open ? "OMPI_COMM_WORLD_LOCAL_SIZE" : "MPI_LOCALNRANKS", 1, place.size)
          .value_or(place.size);
  meet(read, "", read.text(open ? "PMIX_NAMESPACE" : "PMI_JOBID").value_or(""), place);
  return place;
}

Place srun(const Variables& variables) {
  Place place;
  place.launcher = "srun";
  const Reader read(variables, place.launcher);
  place.size = read.needed("SLURM_NTASKS", 1, kMostProcesses);
  place.rank = read.needed("SLURM_PROCID", 0, place.size - 1);
  // "8(x32)", or "8,4": of the machines in their order; the first is near enough.
  std::string tasks = read.text("SLURM_STEP_TASKS_PER_NODE")
                          .value_or(read.text("SLURM_TASKS_PER_NODE").value_or(""));
  const int several = static_cast<int>(std::strtol(tasks.c_str(), nullptr, 10));
  place.local_size = several >= 1 && several <= place.size ? several : place.size;
  std::string nodes;
  for (const char* name : {"SLURM_STEP_NODELIST", "SLURM_JOB_NODELIST", "SLURM_NODELIST"}) {
    if (nodes.empty()) nodes = read.text(name).value_or("");
  }
  const std::string job =
      read.text("SLURM_JOB_ID").value_or("") + "." + read.text("SLURM_STEP_ID").value_or("");
  meet(read, first_host(nodes), job, place);
  return place;
}

}  // namespace

std::string first_host(const std::string& nodes) {
  const size_t bracket = nodes.find('['), comma = nodes.find(',');
  if (bracket == std::string::npos || comma < bracket) return nodes.substr(0, comma);
  const size_t close = nodes.find(']', bracket);
  if (close == std::string::npos) return "";
  const std::string first =
      nodes.substr(bracket + 1, nodes.find_first_of(",-]", bracket) - bracket - 1);
  const size_t next = nodes.find(',', close);
  const size_t tail = next == std::string::npos ? nodes.size() : next;
  return nodes.substr(0, bracket) + first + nodes.substr(close + 1, tail - close - 1);
}

Place place_of(const Variables& variables) {
  const auto there = [&](const char* name) { return variables(name).value_or("") != ""; };
  if (there("RANK") || there("WORLD_SIZE")) return torchrun(variables);
  if (there("OMPI_COMM_WORLD_SIZE") || there("PMI_SIZE")) return mpirun(variables);
  // Slurm sets the number of tasks for a batch script too, which is no task of it.
  if (there("SLURM_PROCID") && there("SLURM_STEP_ID")) return srun(variables);
  return {};
}

}  // namespace janus::train
