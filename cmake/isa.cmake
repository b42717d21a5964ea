# Flags of the instruction-set files: one translation unit a level. What they may include is told in
# src/kernels/cpu/table.h; tools/check_tree.py reads their symbols.
set(isa_dir ${PROJECT_SOURCE_DIR}/src/kernels/cpu)
set_source_files_properties(${isa_dir}/isa_avx2.cc PROPERTIES COMPILE_OPTIONS "-mavx2;-mfma;-mf16c")
set(avx512_flags -mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma -mf16c)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12's own AVX-512 header leaves registers unset on purpose and then warns about it.
  list(APPEND avx512_flags -Wno-uninitialized -Wno-maybe-uninitialized)
endif()
set_source_files_properties(${isa_dir}/isa_avx512.cc PROPERTIES COMPILE_OPTIONS "${avx512_flags}")
set(isa_vnni_flags ${avx512_flags} -mavx512vnni)
set(isa_vnni_flags ${isa_vnni_flags} PARENT_SCOPE)  # of tests, which has such a file too
set_source_files_properties(${isa_dir}/isa_avx512vnni.cc PROPERTIES COMPILE_OPTIONS "${isa_vnni_flags}")
set_source_files_properties(${isa_dir}/isa_amx.cc PROPERTIES
                            COMPILE_OPTIONS "${isa_vnni_flags};-mamx-tile;-mamx-int8;-mamx-bf16")
