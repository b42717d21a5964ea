# janus_room(NAME [DEPENDS rooms and libraries…]): the static library janus_NAME of src/NAME/*.cc.
# janus_tests(NAME [DEPENDS …]): one program, NAME_test, of tests/NAME/*_test.cc. A test is called
#   NAME.Suite.Case in ctest and has one label, by how its suite's name begins:
#     Long…     long     half a minute and more: in release, but not under sanitizers
#     Full…     full     too long for every change; script/test --full runs it
#     Weights…  weights  needs published weights: run where JANUSPRO_WEIGHTS names a directory
#     else      fast
#   script/test runs those with Threads in their name under the thread sanitizer. Tests are long to
#   compile and short to run, so they are not optimised; and what they check is the rooms, so of the
#   sanitizers they have only those that need all code of a program.
# janus_test_programs([DEPENDS …]): one program of each tests/tools/*.cc, for tests in other languages.
# janus_python_tests(FOLDER PYTHON): tests/FOLDER/*.py, each called with the folder of the programs;
#   label parity. A name that begins with _ is a module for the others.
# janus_fuzz_targets([DEPENDS …]): one libFuzzer program of each tests/fuzz/NAME_fuzz.cc, and the test
#   fuzz.NAME that runs it once over tests/fuzz/corpus/NAME.
function(janus_room name)
  cmake_parse_arguments(ARG "" "" "DEPENDS" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${name}/*.cc)
  if(NOT sources)
    add_library(janus_${name} INTERFACE)
    target_include_directories(janus_${name} INTERFACE ${CMAKE_CURRENT_SOURCE_DIR})
    target_link_libraries(janus_${name} INTERFACE ${ARG_DEPENDS})
    return()
  endif()
  add_library(janus_${name} STATIC ${sources})
  target_include_directories(janus_${name} PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})
  target_link_libraries(janus_${name} PUBLIC ${ARG_DEPENDS})
endfunction()

function(janus_tests name)
  cmake_parse_arguments(ARG "" "" "DEPENDS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${name}/*_test.cc)
  if(NOT sources)
    return()
  endif()
  add_executable(${name}_test ${sources})
  target_include_directories(${name}_test PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
  target_compile_definitions(${name}_test PRIVATE JANUSPRO_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  target_link_libraries(${name}_test PRIVATE ${ARG_DEPENDS} GTest::gtest GTest::gtest_main)
  target_compile_options(${name}_test PRIVATE -O0)
  if(JANUSPRO_SANITIZE MATCHES undefined)
    target_compile_options(${name}_test PRIVATE -fno-sanitize=undefined)
  endif()
  if(JANUSPRO_FUZZ)
    target_compile_options(${name}_test PRIVATE -fno-sanitize=fuzzer-no-link)
  endif()
  set(long "Long*.*:*/Long*.*")
  set(full "Full*.*:*/Full*.*")
  set(weights "Weights*.*:*/Weights*.*")
  foreach(label fast long full weights)
    set(filter "${${label}}")
    set(timeout 600)
    if(label STREQUAL fast)
      set(filter "*-${long}:${full}:${weights}")
    else()
      set(timeout 3600)
    endif()
    gtest_discover_tests(${name}_test TEST_PREFIX ${name}. TEST_FILTER "${filter}"
                         TEST_LIST ${name}_${label}_tests DISCOVERY_TIMEOUT 60
                         PROPERTIES LABELS ${label} TIMEOUT ${timeout})
  endforeach()
endfunction()

function(janus_test_programs)
  cmake_parse_arguments(ARG "" "" "DEPENDS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/tools/*.cc)
  foreach(source ${sources})
    get_filename_component(name ${source} NAME_WE)
    add_executable(${name} ${source})
    target_link_libraries(${name} PRIVATE ${ARG_DEPENDS})
  endforeach()
endfunction()

function(janus_python_tests folder python)
  file(GLOB scripts CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${folder}/[a-z]*.py)
  foreach(script ${scripts})
    get_filename_component(name ${script} NAME_WE)
    add_test(NAME ${folder}.${name}
             COMMAND ${python} ${script} ${CMAKE_RUNTIME_OUTPUT_DIRECTORY})
    set_tests_properties(${folder}.${name} PROPERTIES LABELS parity TIMEOUT 1800)
  endforeach()
endfunction()

function(janus_fuzz_targets)
  cmake_parse_arguments(ARG "" "" "DEPENDS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/*_fuzz.cc)
  foreach(source ${sources})
    get_filename_component(target ${source} NAME_WE)
    string(REGEX REPLACE "_fuzz$" "" name ${target})
    add_executable(${target} ${source})
    target_link_libraries(${target} PRIVATE ${ARG_DEPENDS})
    target_link_options(${target} PRIVATE -fsanitize=fuzzer)
    add_test(NAME fuzz.${name}
             COMMAND ${target} -runs=0 ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/corpus/${name})
    set_tests_properties(fuzz.${name} PROPERTIES LABELS fast TIMEOUT 600)
  endforeach()
endfunction()
