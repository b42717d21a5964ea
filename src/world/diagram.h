// The three kinds of diagram as one. A diagram is a pure function of (version, split, task, index);
// its record says what is drawn and how. SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <variant>

#include "world/bar_chart.h"
#include "world/circuit.h"
#include "world/flow_chart.h"

namespace janus {

using Diagram = std::variant<FlowChart, BarChart, Circuit>;

Rendering render_diagram(const Diagram& diagram, int size);

// Its paper with nothing on it.
Diagram bare(const Diagram& diagram);

// One JSON object on one line: keys in fixed order.
std::string diagram_record(const Diagram& diagram, Split split, std::string_view task,
                           uint64_t index);

}  // namespace janus
