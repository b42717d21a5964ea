# Finds libtorch without its own CMake package, which wants a CUDA toolkit whenever the library was
# built with one. Any libtorch >= 2.11 will do: the unpacked archive, a distribution's package, or the
# `torch` package of PyPI. Where it is looked for, in order: LibTorch_ROOT, CMAKE_PREFIX_PATH, and the
# virtual environment of script/python-env if that exists already. Nothing is ever installed here.
#
# Defines the target LibTorch::LibTorch and LibTorch_VERSION.
set(_torch_places)
file(SHA256 ${PROJECT_SOURCE_DIR}/tools/requirements.txt _torch_key)
string(SUBSTRING ${_torch_key} 0 12 _torch_key)
if(DEFINED ENV{XDG_CACHE_HOME})
  set(_torch_cache $ENV{XDG_CACHE_HOME})
else()
  set(_torch_cache $ENV{HOME}/.cache)
endif()
file(GLOB _torch_places
     ${_torch_cache}/januspro/python-${_torch_key}/lib/python3*/site-packages/torch)

find_path(LibTorch_INCLUDE_DIR torch/csrc/api/include/torch/torch.h
          HINTS ${LibTorch_ROOT} ${_torch_places} PATH_SUFFIXES include)
foreach(part torch_cpu c10)
  find_library(LibTorch_${part}_LIBRARY ${part} HINTS ${LibTorch_ROOT} ${_torch_places}
               PATH_SUFFIXES lib)
endforeach()
if(LibTorch_INCLUDE_DIR AND EXISTS ${LibTorch_INCLUDE_DIR}/torch/headeronly/version.h)
  file(STRINGS ${LibTorch_INCLUDE_DIR}/torch/headeronly/version.h _torch_lines
       REGEX "#define TORCH_VERSION_(MAJOR|MINOR|PATCH) ")
  string(REGEX REPLACE "[^0-9]+" "." LibTorch_VERSION "${_torch_lines}")
  string(REGEX REPLACE "^\\.|\\.$" "" LibTorch_VERSION "${LibTorch_VERSION}")
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(
  LibTorch
  REQUIRED_VARS LibTorch_torch_cpu_LIBRARY LibTorch_c10_LIBRARY LibTorch_INCLUDE_DIR
  VERSION_VAR LibTorch_VERSION
  REASON_FAILURE_MESSAGE
    "set LibTorch_ROOT to an unpacked libtorch, or run script/python-env once")

if(LibTorch_FOUND AND NOT TARGET LibTorch::LibTorch)
  get_filename_component(_torch_lib ${LibTorch_torch_cpu_LIBRARY} DIRECTORY)
  add_library(LibTorch::LibTorch INTERFACE IMPORTED)
  # SYSTEM: the headers are not ours and would not pass our warnings.
  target_include_directories(LibTorch::LibTorch SYSTEM INTERFACE
    ${LibTorch_INCLUDE_DIR} ${LibTorch_INCLUDE_DIR}/torch/csrc/api/include)
  target_link_libraries(LibTorch::LibTorch INTERFACE
    ${LibTorch_torch_cpu_LIBRARY} ${LibTorch_c10_LIBRARY})
  # libtorch.so itself holds no code: it only pulls in the CUDA half where there is one, which would
  # cost a second at every start. What torch_cpu needs lies beside it; the linker need not look.
  target_link_options(LibTorch::LibTorch INTERFACE
    LINKER:--allow-shlib-undefined LINKER:-rpath,${_torch_lib})
  # Wheels since 2.6 and current archives are built with the C++11 string ABI.
  target_compile_definitions(LibTorch::LibTorch INTERFACE _GLIBCXX_USE_CXX11_ABI=1)
endif()

# Many processes: c10d's group over Gloo. Its header wants headers of Gloo, which libtorch holds and
# does not ship; of those it needs names alone, which gloo_names.h declares. LibTorch_C10D_NAMES is
# where they are found, empty where this libtorch cannot be used so.
set(LibTorch_C10D_NAMES)
if(LibTorch_FOUND)
  set(_gloo_names ${PROJECT_BINARY_DIR}/gloo_names)
  foreach(name algorithm common/error context rendezvous/store transport/device)
    file(CONFIGURE OUTPUT ${_gloo_names}/gloo/${name}.h
         CONTENT "#include \"${PROJECT_SOURCE_DIR}/src/train/gloo_names.h\"\n")
  endforeach()
  include(CheckCXXSourceCompiles)
  include(CMakePushCheckState)
  cmake_push_check_state(RESET)
  set(CMAKE_REQUIRED_LIBRARIES LibTorch::LibTorch)
  set(CMAKE_REQUIRED_FLAGS "-std=c++20 -w -isystem${_gloo_names}")
  check_cxx_source_compiles("
    #define USE_C10D_GLOO
    #include <torch/csrc/distributed/c10d/PrefixStore.hpp>
    #include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
    #include <torch/csrc/distributed/c10d/TCPStore.hpp>
    int main() {
      auto store = c10::make_intrusive<c10d::TCPStore>(\"localhost\");
      auto options = c10d::ProcessGroupGloo::Options::create_default();
      options->devices.push_back(c10d::ProcessGroupGloo::createDefaultDevice());
      c10d::ProcessGroupGloo group(store, 0, 1, options);
      at::Tensor values = at::ones({1});
      group.all_gather_single(values, values)->wait();
    }" LibTorch_HAS_C10D)
  cmake_pop_check_state()
  if(LibTorch_HAS_C10D)
    set(LibTorch_C10D_NAMES ${_gloo_names})
  endif()
endif()
mark_as_advanced(LibTorch_INCLUDE_DIR LibTorch_torch_cpu_LIBRARY LibTorch_c10_LIBRARY)
