// torch weight files: storages, strides and zip64 are honoured; damage, bombs and anything that
// would run code are refused.
// SPDX-License-Identifier: MIT
#include "io/torch_zip.h"

#include <gtest/gtest.h>

#include <chrono>

#include "io/pickle.h"
#include "io/temp_dir.h"
#include "io/torch_file.h"

namespace janus {
namespace {

using namespace std::string_literals;

std::vector<float> all_of(const StoredTensor& tensor) {
  std::vector<float> values(static_cast<size_t>(tensor.count()));
  tensor.read_f32(0, values);
  return values;
}

std::string refusal(const std::string& file, Code code = Code::bad_checkpoint) {
  const TempDir dir;
  const auto path = dir.write("bad.bin", file);
  const auto text = error_of(code, [&] { read_torch_zip(path); });
  expect_has(text, "bad.bin");
  return text;
}

TEST(TorchZip, ReadsOffsetsStridesAndSharedStorages) {
  const TempDir dir;
  const std::string pickle =
      pickle_state({{.name = "plain"},
                    {.name = "transposed", .sizes = {3, 2}, .strides = {1, 3}},
                    {.name = "tail", .offset = 4, .sizes = {2}, .strides = {1}},
                    {.name = "column", .offset = 1, .sizes = {2}, .strides = {3}},
                    {.name = "left", .sizes = {2, 2}, .strides = {3, 1}},
                    {.name = "scalar", .offset = 5, .sizes = {}, .strides = {}}});
  const auto tensors = read_torch_zip(dir.write("w.bin", torch_file(pickle)));
  ASSERT_EQ(tensors.size(), 6u);
  EXPECT_EQ(all_of(tensors.at("plain")), (std::vector<float>{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(all_of(tensors.at("transposed")), (std::vector<float>{0, 3, 1, 4, 2, 5}));
  EXPECT_EQ(all_of(tensors.at("tail")), (std::vector<float>{4, 5}));
  EXPECT_EQ(all_of(tensors.at("column")), (std::vector<float>{1, 4}));
  EXPECT_EQ(all_of(tensors.at("left")), (std::vector<float>{0, 1, 3, 4}));
  EXPECT_EQ(all_of(tensors.at("scalar")), (std::vector<float>{5}));
  EXPECT_FALSE(tensors.at("transposed").dense());
  std::vector<float> middle(3);
  tensors.at("transposed").read_f32(1, middle);
  EXPECT_EQ(middle, (std::vector<float>{3, 1, 4}));
}

TEST(TorchZip, ReadsZip64) {
  const TempDir dir;
  const auto path = dir.write("w.bin", torch_file(pickle_state({{}}), {.zip64 = true}));
  EXPECT_EQ(all_of(read_torch_zip(path).at("w")), (std::vector<float>{0, 1, 2, 3, 4, 5}));
}

TEST(TorchZip, ReadsParametersMemoAndAttributes) {
  // The name is memoised and fetched again, the tensor is wrapped as a parameter, and the
  // dictionary gets its `_metadata` attribute, as torch.save writes them.
  const std::string ordered = pickle_global("collections", "OrderedDict");
  const std::string parameter = pickle_global("torch._utils", "_rebuild_parameter") + "(" +
                                pickle_tensor({}) + "\x88" + ordered + ")RtR";
  const std::string state = "\x80\x02" + ordered + "q\x01)R(" + pickle_text("w") + "r" +
                            little(uint32_t{70000}) + parameter + "u}(" + pickle_text("_metadata") +
                            "h\x01)Rub.";
  const TempDir dir;
  EXPECT_EQ(read_torch_zip(dir.write("w.bin", torch_file(state))).at("w").count(), 6);
}

TEST(TorchZip, ReadsProtocolFour) {
  const auto text = [](const std::string& s) {
    return "\x8c" + std::string(1, static_cast<char>(s.size())) + s;
  };
  const std::string state = "\x80\x04\x95" + std::string(8, '\0') + text("collections") + "\x94" +
                            text("OrderedDict") + "\x94\x93\x94)R(" + text("w") +
                            pickle_tensor({}) + "u.";
  const TempDir dir;
  EXPECT_EQ(read_torch_zip(dir.write("w.bin", torch_file(state))).at("w").count(), 6);
}

TEST(TorchZip, RefusesEveryUnknownGlobal) {
  const std::vector<std::pair<std::string, std::string>> globals = {
      {"os", "system"},
      {"posix", "system"},
      {"builtins", "eval"},
      {"__builtin__", "exec"},
      {"subprocess", "Popen"},
      {"torch", "load"},
      {"torch._utils", "_rebuild_tensor_v2.__globals__"},
      {"collections", "defaultdict"},
      {"evil", "OrderedDict"},
      {"evil.torch._utils", "_rebuild_tensor_v2"},
      {"torch", "EvilStorage"},
      {"torch.storage", "_load_from_bytes"},
  };
  for (const auto& [module, name] : globals) {
    const std::string state =
        "\x80\x02" + pickle_global(module, name) + pickle_text("echo owned") + "\x85R.";
    const auto text = refusal(torch_file(state));
    expect_has(text, module + "." + name);
    expect_has(text, "malicious");
  }
  // The same through the stack.
  const std::string state = "\x80\x04" + pickle_text("os") + pickle_text("system") + "\x93" +
                            pickle_text("echo owned") + "\x85R.";
  expect_has(refusal(torch_file(state)), "os.system");
}

TEST(TorchZip, RefusesOpcodesThatBuildObjects) {
  // INST, OBJ, NEWOBJ, NEWOBJ_EX, EXT1, PERSID, and one that no protocol has.
  for (const char* opcode : {"i", "o", "\x81", "\x92", "\x82", "P", "\xff"}) {
    expect_has(refusal(torch_file("\x80\x02(" + std::string(opcode) + "os\nsystem\n.")), "opcode");
  }
}

TEST(TorchZip, RefusesStorageTypesItCannotHold) {
  const auto text =
      refusal(torch_file(pickle_state({{.storage_type = "DoubleStorage"}})), Code::not_supported);
  expect_has(text, "DoubleStorage");
}

TEST(TorchZip, RefusesTensorsThatLeaveTheirStorage) {
  const std::vector<PickleTensor> cases = {
      {.offset = 1},
      {.offset = 7, .sizes = {0}, .strides = {1}},
      {.strides = {4, 1}},
      {.sizes = {2147483647, 2147483647, 2147483647}, .strides = {1, 1, 1}},
      {.sizes = {2147483647}, .strides = {2147483647}},
      {.sizes = {1000000}, .strides = {0}},  // repeats one element to look large
  };
  for (const PickleTensor& tensor : cases) {
    expect_has(refusal(torch_file(pickle_state({tensor}))), "does not fit into its storage");
  }
  expect_has(refusal(torch_file(pickle_state({{.offset = -1}}))), "damaged");
  expect_has(refusal(torch_file(pickle_state({{.sizes = {-2, 3}}}))), "damaged");
  expect_has(refusal(torch_file(pickle_state({{.sizes = {6}}}))), "1 sizes and 2 strides");
  expect_has(refusal(torch_file(pickle_state({{.storage_count = 7}}))), "its pickle says 7");
  expect_has(refusal(torch_file(pickle_state({{.storage_type = "HalfStorage"}}))), "6 elements");
  expect_has(refusal(torch_file(pickle_state({{.key = "../../etc/passwd"}}))), "is missing");
  expect_has(refusal(torch_file(pickle_state({{}, {}}))), "listed twice");
}

TEST(TorchZip, RefusesDamagedPickles) {
  const std::string head = "\x80\x02";
  expect_has(refusal(torch_file("")), "ends in the middle");
  expect_has(refusal(torch_file(head + "X\xff\xff\xff\xffhello")), "ends in the middle");
  expect_has(refusal(torch_file(head + "cos")), "no end");
  expect_has(refusal(torch_file(head + ".")), "a value is missing");
  expect_has(refusal(torch_file(head + "t.")), "no beginning");
  expect_has(refusal(torch_file(head + "}(0")), "opcode");
  expect_has(refusal(torch_file(head + "(R.")), "a value is missing");
  expect_has(refusal(torch_file(head + "h\x07.")), "memo 7 was never set");
  expect_has(refusal(torch_file(head + "j" + little(uint32_t{0xffffffff}) + ".")), "never set");
  expect_has(refusal(torch_file("\x80\x09}.")), "protocol 9");
  expect_has(refusal(torch_file(head + "].")), "state_dict()");
  expect_has(refusal(torch_file(head + "}(" + pickle_text("epoch") + "K\x03u.")), "'epoch'");
  expect_has(refusal(torch_file(head + "}(K\x01K\x02u.")), "the name of a tensor");
  expect_has(refusal(torch_file(head + "}(K\x01u.")), "no value");
}

TEST(TorchZip, BombsStaySmallAndQuick) {
  const auto start = std::chrono::steady_clock::now();
  // Nesting, a list that contains itself, and a tuple doubled with every step.
  std::string nested = "\x80\x02" + std::string(300000, '(') + std::string(300000, 't') + ".";
  refusal(torch_file(nested));
  refusal(torch_file("\x80\x02]q\x01h\x01" + "a."s));
  std::string doubled = "\x80\x02)q\x01";
  for (int i = 0; i < 1000; ++i) doubled += "h\x01h\x01\x86q\x01";
  refusal(torch_file(doubled + "."));
  // A large tuple handed to a function again and again.
  std::string repeated = "\x80\x02(" + std::string(100000, 'N') + "tq\x01";
  for (int i = 0; i < 50000; ++i)
    repeated += pickle_global("torch._utils", "_rebuild_parameter") + "h\x01R";
  refusal(torch_file(repeated + "."));
  expect_has(refusal(torch_file("\x80\x02" + std::string(1100000, 'N') + ".")), "more steps");
  expect_has(refusal(torch_file(std::string(17000000, 'N'))), "more than the");
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
}

TEST(TorchZip, RefusesDamagedContainers) {
  const std::string good = torch_file(pickle_state({{}}));
  expect_has(refusal("PK"), "too short");
  expect_has(refusal(std::string(100, 'x')), "directory at its end is missing");
  expect_has(refusal(torch_file(pickle_state({{}}), {.method = 8})), "compressed");
  expect_has(refusal(torch_file(pickle_state({{}}), {.flags = 1})), "encrypted");
  expect_has(refusal(make_zip({{"archive/other", "x"}})), "0 data.pkl");
  expect_has(refusal(make_zip({{"a/data.pkl", "x"}, {"b/data.pkl", "x"}})), "2 data.pkl");
  expect_has(refusal(make_zip({{"a/data.pkl", "x"}, {"a/data.pkl", "x"}})), "one name");
  expect_has(refusal(make_zip({{"a/data.pkl", "x"}, {"a/constants.pkl", "x"}})), "TorchScript");
  expect_has(refusal(make_zip({{"a/data.pkl", "x"}, {"a/byteorder", "big"}}), Code::not_supported),
             "big-endian");
  expect_has(refusal(make_zip({{"a/data.pkl", pickle_state({{}})}})), "record 0");
  expect_has(
      refusal(make_zip({{"a/data.pkl", pickle_state({{}})}, {"a/data/0", std::string(25, 'x')}})),
      "has 25 bytes");
  // Two directory entries that share the bytes of the first record.
  std::string overlap = make_zip({{"a/data.pkl", "xxxx"}, {"a/data/0", "yyyy"}});
  const size_t directory = overlap.find("PK\x01\x02");
  const size_t second = overlap.find("PK\x01\x02", directory + 1);
  overlap.replace(second + 42, 4, std::string(4, '\0'));
  expect_has(refusal(overlap), "overlap");
}

TEST(TorchZip, EveryTruncationAndFlippedByteIsSurvived) {
  const TempDir dir;
  const std::string good =
      torch_file(pickle_state({{}, {.name = "v", .offset = 3, .sizes = {3}, .strides = {1}}}));
  ASSERT_EQ(read_torch_zip(dir.write("good", good)).size(), 2u);
  for (size_t n = 0; n < good.size(); ++n) {
    EXPECT_THROW(read_torch_zip(dir.write("cut", good.substr(0, n))), Error) << n << " bytes";
  }
  for (size_t n = 0; n < good.size(); ++n) {
    std::string flipped = good;
    flipped[n] = static_cast<char>(flipped[n] ^ 0x41);
    try {
      for (const auto& [name, tensor] : read_torch_zip(dir.write("flip", flipped))) {
        if (traits(tensor.dtype).is_float) all_of(tensor);
      }
    } catch (const Error& error) {
      EXPECT_NE(static_cast<int>(error.code()), static_cast<int>(Code::bug)) << error.what();
    }
  }
}

}  // namespace
}  // namespace janus
