// A stack machine over an arena: values refer to objects by index, so shared and even cyclic
// structures cost nothing to copy or free, and nesting is never walked recursively.
// SPDX-License-Identifier: MIT
#include "io/pickle.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "base/error.h"

namespace janus {
namespace {

constexpr size_t kMaxBytes = 16'000'000;    // the published 7B file has 40 kB
constexpr int64_t kMaxOpcodes = 1'000'000;  // bounds the objects made
constexpr size_t kMaxRank = 8;
constexpr size_t kMaxName = 1024;

enum class Kind : uint8_t {
  none,
  boolean,
  integer,
  real,
  text,
  tuple,
  list,
  dict,
  callable,
  storage,
  storage_type,
  tensor
};

constexpr std::array<std::string_view, 12> kKindNames = {
    "None",   "a boolean",    "a number",   "a fraction", "a text",         "a tuple",
    "a list", "a dictionary", "a function", "a storage",  "a storage type", "a tensor"};

enum class Callable : uint8_t { ordered_dict, rebuild_tensor, rebuild_parameter };

// A value on the stack. What `number` means depends on the kind: the integer itself, the index of
// an object in the arena, a Callable, or a Dtype.
struct Value {
  Kind kind = Kind::none;
  int64_t number = 0;
  std::string_view text;  // points into the pickle
};

struct Storage {
  Dtype dtype;
  std::string_view key;
  int64_t count;
};

using Items = std::vector<Value>;  // of a tuple or list; of a dictionary key, value, key, value …

Value integer(int64_t number) { return {Kind::integer, number, {}}; }

class Machine {
 public:
  Machine(std::span<const std::byte> pickle, const std::string& where)
      : bytes_(reinterpret_cast<const char*>(pickle.data()), pickle.size()), where_(where) {}

  std::vector<PickledTensor> run();

 private:
  template <class... Parts>
  [[noreturn]] void refuse(const Parts&... parts) const {
    fail(Code::bad_checkpoint, where_, ": ", parts...);
  }
  template <class... Parts>
  void require(bool ok, const Parts&... parts) const {
    if (!ok) refuse("its pickle is damaged at byte ", at_, ": ", parts...);
  }

  std::string_view take(size_t n);
  template <class T>
  T number();
  std::string_view line();
  int64_t long_integer(size_t bytes);

  void push(Value value) { stack_.push_back(value); }
  Value pop();
  Value pop(Kind kind);
  Value& top();
  Items pop_to_mark();
  Value object(Kind kind, Items items);
  Items& items(Value value) { return items_[static_cast<size_t>(value.number)]; }

  void step(uint8_t opcode);
  bool step_constant(uint8_t opcode);
  bool step_container(uint8_t opcode);
  bool step_memo(uint8_t opcode);
  void put(uint64_t slot) { memo_[slot] = top(); }
  void get(uint64_t slot);
  void push_tuple(size_t n);
  void push_global(std::string_view module, std::string_view name);
  void push_storage();
  void call();
  Value rebuild_tensor(const Items& arguments);
  std::vector<int64_t> sizes(Value value);
  void extend(Kind kind, const Items& added);

  std::string_view bytes_;
  const std::string& where_;
  size_t at_ = 0;
  std::vector<Value> stack_;
  std::vector<size_t> marks_;
  std::unordered_map<uint64_t, Value> memo_;
  std::vector<Items> items_;
  std::vector<Storage> storages_;
  std::vector<PickledTensor> tensors_;
};

std::string_view Machine::take(size_t n) {
  require(n <= bytes_.size() - at_, "it ends in the middle of a value");
  const auto piece = bytes_.substr(at_, n);
  at_ += n;
  return piece;
}

template <class T>
T Machine::number() {
  T value;
  std::memcpy(&value, take(sizeof(T)).data(), sizeof(T));
  return value;
}

std::string_view Machine::line() {
  const size_t end = bytes_.find('\n', at_);
  require(end != std::string_view::npos, "a name has no end");
  const auto text = take(end - at_);
  ++at_;
  return text;
}

int64_t Machine::long_integer(size_t bytes) {
  require(bytes <= 8, "a number of ", bytes, " bytes");
  const auto piece = take(bytes);
  uint64_t value = 0;
  for (size_t i = 0; i < bytes; ++i) {
    value |= uint64_t{static_cast<uint8_t>(piece[i])} << (8 * i);
  }
  const bool negative = bytes > 0 && (static_cast<uint8_t>(piece[bytes - 1]) & 0x80) != 0;
  if (negative && bytes < 8) value |= ~uint64_t{0} << (8 * bytes);
  return static_cast<int64_t>(value);
}

Value& Machine::top() {
  const size_t floor = marks_.empty() ? 0 : marks_.back();
  require(stack_.size() > floor, "a value is missing");
  return stack_.back();
}

Value Machine::pop() {
  const Value value = top();
  stack_.pop_back();
  return value;
}

Value Machine::pop(Kind kind) {
  const Value value = pop();
  require(value.kind == kind, kKindNames[static_cast<size_t>(value.kind)], " where ",
          kKindNames[static_cast<size_t>(kind)], " belongs");
  return value;
}

Items Machine::pop_to_mark() {
  require(!marks_.empty(), "a list has no beginning");
  const auto begin = stack_.begin() + static_cast<ptrdiff_t>(marks_.back());
  Items popped(begin, stack_.end());
  stack_.erase(begin, stack_.end());
  marks_.pop_back();
  return popped;
}

Value Machine::object(Kind kind, Items items) {
  items_.push_back(std::move(items));
  return {kind, static_cast<int64_t>(items_.size() - 1), {}};
}

// Opcodes that push a constant; false when `opcode` is none of them.
bool Machine::step_constant(uint8_t opcode) {
  switch (opcode) {
    case 'N':
      push({});
      return true;  // NONE
    case 0x88:
      push({Kind::boolean, 1, {}});
      return true;  // NEWTRUE
    case 0x89:
      push({Kind::boolean, 0, {}});
      return true;  // NEWFALSE
    case 'K':
      push(integer(number<uint8_t>()));
      return true;  // BININT1
    case 'M':
      push(integer(number<uint16_t>()));
      return true;  // BININT2
    case 'J':
      push(integer(number<int32_t>()));
      return true;  // BININT
    case 0x8a:
      push(integer(long_integer(number<uint8_t>())));
      return true;  // LONG1
    case 'G':
      take(8);
      push({Kind::real, 0, {}});
      return true;  // BINFLOAT
    case 0x8c:
      push({Kind::text, 0, take(number<uint8_t>())});
      return true;  // SHORT_BINUNICODE
    case 'X':
      push({Kind::text, 0, take(number<uint32_t>())});
      return true;  // BINUNICODE
    default:
      return false;
  }
}

// Opcodes that make or fill tuples, lists and dictionaries.
bool Machine::step_container(uint8_t opcode) {
  switch (opcode) {
    case '(':
      marks_.push_back(stack_.size());
      return true;  // MARK
    case ')':
      push(object(Kind::tuple, {}));
      return true;  // EMPTY_TUPLE
    case ']':
      push(object(Kind::list, {}));
      return true;  // EMPTY_LIST
    case '}':
      push(object(Kind::dict, {}));
      return true;  // EMPTY_DICT
    case 't':
      push(object(Kind::tuple, pop_to_mark()));
      return true;  // TUPLE
    case 0x85:
      push_tuple(1);
      return true;  // TUPLE1
    case 0x86:
      push_tuple(2);
      return true;  // TUPLE2
    case 0x87:
      push_tuple(3);
      return true;  // TUPLE3
    case 'a':
      extend(Kind::list, {pop()});
      return true;  // APPEND
    case 'e':
      extend(Kind::list, pop_to_mark());
      return true;  // APPENDS
    case 'u':
      extend(Kind::dict, pop_to_mark());
      return true;  // SETITEMS
    case 's': {     // SETITEM
      const Value value = pop();
      extend(Kind::dict, {pop(), value});
      return true;
    }
    default:
      return false;
  }
}

bool Machine::step_memo(uint8_t opcode) {
  switch (opcode) {
    case 'q':
      put(number<uint8_t>());
      return true;  // BINPUT
    case 'r':
      put(number<uint32_t>());
      return true;  // LONG_BINPUT
    case 0x94:
      put(memo_.size());
      return true;  // MEMOIZE
    case 'h':
      get(number<uint8_t>());
      return true;  // BINGET
    case 'j':
      get(number<uint32_t>());
      return true;  // LONG_BINGET
    default:
      return false;
  }
}

void Machine::step(uint8_t opcode) {
  if (step_constant(opcode) || step_container(opcode) || step_memo(opcode)) return;
  switch (opcode) {
    case 0x80: {  // PROTO
      const int version = number<uint8_t>();
      require(version >= 2 && version <= 5, "pickle protocol ", version, " is unknown");
      return;
    }
    case 0x95:
      number<uint64_t>();
      return;    // FRAME: only a hint for buffered readers
    case 'c': {  // GLOBAL
      const auto module = line();
      return push_global(module, line());
    }
    case 0x93: {  // STACK_GLOBAL
      const auto name = pop(Kind::text).text;
      return push_global(pop(Kind::text).text, name);
    }
    case 'Q':
      return push_storage();  // BINPERSID
    case 'R':
      return call();  // REDUCE
    case 'b':         // BUILD: attributes of a dictionary (`_metadata`), unused
      pop();
      require(top().kind == Kind::dict, "attributes are set on ",
              kKindNames[static_cast<size_t>(top().kind)]);
      return;
    default:
      refuse("its pickle uses opcode ", int{opcode}, " at byte ", at_ - 1,
             ", which weight files never need; it is damaged or malicious. Use a safetensors file "
             "from a source you trust");
  }
}

void Machine::get(uint64_t slot) {
  const auto found = memo_.find(slot);
  require(found != memo_.end(), "memo ", slot, " was never set");
  push(found->second);
}

void Machine::push_tuple(size_t n) {
  Items popped(n);
  for (size_t i = n; i-- > 0;) popped[i] = pop();
  push(object(Kind::tuple, std::move(popped)));
}

void Machine::extend(Kind kind, const Items& added) {
  const Value target = top();
  require(target.kind == kind, "items are added to ", kKindNames[static_cast<size_t>(target.kind)]);
  require(kind == Kind::list || added.size() % 2 == 0, "a key has no value");
  Items& all = items(target);
  all.insert(all.end(), added.begin(), added.end());
}

void Machine::push_global(std::string_view module, std::string_view name) {
  const auto is = [&](std::string_view m, std::string_view n) { return module == m && name == n; };
  const auto callable = [&](Callable c) { push({Kind::callable, static_cast<int64_t>(c), {}}); };
  if (is("collections", "OrderedDict")) return callable(Callable::ordered_dict);
  if (is("torch._utils", "_rebuild_tensor_v2")) return callable(Callable::rebuild_tensor);
  if (is("torch._utils", "_rebuild_parameter")) return callable(Callable::rebuild_parameter);
  constexpr std::string_view kStorage = "Storage";
  if (module == "torch" && name.ends_with(kStorage)) {
    constexpr std::array<std::pair<std::string_view, Dtype>, 6> kTypes = {
        {{"Float", Dtype::f32},
         {"Half", Dtype::f16},
         {"BFloat16", Dtype::bf16},
         {"Long", Dtype::i64},
         {"Int", Dtype::i32},
         {"Byte", Dtype::u8}}};
    const auto type = name.substr(0, name.size() - kStorage.size());
    for (const auto& [known, dtype] : kTypes) {
      if (type == known) return push({Kind::storage_type, static_cast<int64_t>(dtype), {}});
    }
    constexpr std::array<std::string_view, 9> kOthers = {"Double", "Short",        "Char",
                                                         "Bool",   "ComplexFloat", "ComplexDouble",
                                                         "QInt8",  "QUInt8",       "Untyped"};
    check(std::find(kOthers.begin(), kOthers.end(), type) == kOthers.end(), Code::not_supported,
          where_, ": it holds a torch.", name,
          "; this program reads Float, Half, BFloat16, Long, Int and Byte");
  }
  refuse("its pickle asks for '", module, ".", name,
         "', which weight files never need: the file may be malicious, and nothing of it was run. "
         "Use a safetensors file from a source you trust");
}

// ('storage', type, key, location, count) -> storage.
void Machine::push_storage() {
  const Value id = pop(Kind::tuple);
  const Items& parts = items(id);
  const bool shaped = parts.size() == 5 && parts[0].kind == Kind::text &&
                      parts[0].text == "storage" && parts[1].kind == Kind::storage_type &&
                      parts[2].kind == Kind::text && parts[4].kind == Kind::integer &&
                      parts[4].number >= 0;
  require(shaped, "a reference to a storage has another form than torch.save writes");
  require(parts[2].text.size() <= kMaxName, "a storage has a name of ", parts[2].text.size(),
          " bytes");
  storages_.push_back({static_cast<Dtype>(parts[1].number), parts[2].text, parts[4].number});
  push({Kind::storage, static_cast<int64_t>(storages_.size() - 1), {}});
}

void Machine::call() {
  const Items& arguments = items(pop(Kind::tuple));  // no object is made while it is in use
  switch (static_cast<Callable>(pop(Kind::callable).number)) {
    case Callable::ordered_dict:
      require(arguments.empty(), "an OrderedDict is made from arguments");
      return push(object(Kind::dict, {}));
    case Callable::rebuild_tensor:
      return push(rebuild_tensor(arguments));
    case Callable::rebuild_parameter:
      require(!arguments.empty() && arguments[0].kind == Kind::tensor, "a parameter has no tensor");
      return push(arguments[0]);
  }
}

// (storage, offset, sizes, strides, requires_grad, hooks [, metadata]) -> tensor; torch/_utils.py,
// _rebuild_tensor_v2.
Value Machine::rebuild_tensor(const Items& arguments) {
  require(arguments.size() >= 4 && arguments[0].kind == Kind::storage &&
              arguments[1].kind == Kind::integer && arguments[1].number >= 0,
          "a tensor has other arguments than torch.save writes");
  const Storage& storage = storages_[static_cast<size_t>(arguments[0].number)];
  PickledTensor tensor{.name = {},
                       .dtype = storage.dtype,
                       .storage = std::string(storage.key),
                       .storage_count = storage.count,
                       .offset = arguments[1].number,
                       .shape = sizes(arguments[2]),
                       .strides = sizes(arguments[3])};
  require(tensor.shape.size() == tensor.strides.size(), "a tensor has ", tensor.shape.size(),
          " sizes and ", tensor.strides.size(), " strides");
  tensors_.push_back(std::move(tensor));
  return {Kind::tensor, static_cast<int64_t>(tensors_.size() - 1), {}};
}

std::vector<int64_t> Machine::sizes(Value value) {
  require(value.kind == Kind::tuple, "the sizes of a tensor are no tuple");
  const Items& parts = items(value);
  require(parts.size() <= kMaxRank, "a tensor has ", parts.size(), " dimensions");
  std::vector<int64_t> numbers;
  for (const Value& part : parts) {
    require(part.kind == Kind::integer && part.number >= 0, "the size of a tensor is no number");
    numbers.push_back(part.number);
  }
  return numbers;
}

std::vector<PickledTensor> Machine::run() {
  require(bytes_.size() <= kMaxBytes, "it has ", bytes_.size(), " bytes, more than the ", kMaxBytes,
          " allowed");
  int64_t steps = 0;
  for (uint8_t opcode = number<uint8_t>(); opcode != '.'; opcode = number<uint8_t>()) {
    require(++steps <= kMaxOpcodes, "it has more steps than any weight file");
    step(opcode);
  }
  const Value result = pop();
  if (result.kind != Kind::dict) {
    refuse("it holds ", kKindNames[static_cast<size_t>(result.kind)],
           " where a dictionary of tensors belongs; save the model's state_dict()");
  }
  std::vector<PickledTensor> named;
  std::unordered_set<std::string_view> names;
  const Items& entries = items(result);
  for (size_t i = 0; i < entries.size(); i += 2) {
    require(entries[i].kind == Kind::text, "the name of a tensor is ",
            kKindNames[static_cast<size_t>(entries[i].kind)]);
    require(entries[i].text.size() <= kMaxName, "a tensor has a name of ", entries[i].text.size(),
            " bytes");
    require(names.insert(entries[i].text).second, "tensor '", entries[i].text, "' is listed twice");
    if (entries[i + 1].kind != Kind::tensor) {
      refuse("its entry '", entries[i].text, "' is ",
             kKindNames[static_cast<size_t>(entries[i + 1].kind)],
             ", not a tensor; a training checkpoint has to be reduced to its state_dict() first");
    }
    named.push_back(tensors_[static_cast<size_t>(entries[i + 1].number)]);
    named.back().name = entries[i].text;
  }
  return named;
}

}  // namespace

std::vector<PickledTensor> read_pickled_tensors(std::span<const std::byte> pickle,
                                                const std::string& where) {
  return Machine(pickle, where).run();
}

}  // namespace janus
