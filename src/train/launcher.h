// Which of a training's processes this is, read from the variables that torchrun, mpirun and srun
// set. What reads the environment is handed in: programs do. No libtorch here.
// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <optional>
#include <string>

namespace janus::train {

struct Place {
  int rank = 0, size = 1;             // of all processes
  int local_size = 1;                 // processes on this machine
  std::string address = "127.0.0.1";  // where they meet
  int port = 0;
  bool meeting_is_kept = false;  // somebody else than rank 0 listens there
  std::string attempt;           // tells one start from another where that somebody lives on
  std::string launcher;          // for people; empty: none, this process is alone
};

using Variables = std::function<std::optional<std::string>(const std::string&)>;

// The first launcher of torchrun, Open MPI, a PMI of MPICH and Slurm whose variables are there.
// Throws Code::bad_input for a set that is not whole or makes no sense, naming the variable.
Place place_of(const Variables& variables);

// "gpu[03-07,9],other" -> "gpu03". Empty where there is none.
std::string first_host(const std::string& slurm_nodes);

}  // namespace janus::train
