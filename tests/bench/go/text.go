package main

import (
	"fmt"
	"strings"

	metric "mygrpcadapter.bench/walkthrough/metric"
	value "mygrpcadapter.bench/walkthrough/value"
)

// plain gives strings and numbers as what they are and everything else as gogo's struct, whose String() then prints it.
func plain(v *value.Value) interface{} {
	switch kind := v.GetValue().(type) {
	case *value.Value_StringValue:
		return kind.StringValue
	case *value.Value_Int64Value:
		return kind.Int64Value
	case *value.Value_DoubleValue:
		return kind.DoubleValue
	default:
		return kind
	}
}

func plainAll(values map[string]*value.Value) map[string]interface{} {
	out := make(map[string]interface{}, len(values))
	for key, v := range values {
		out[key] = plain(v)
	}
	return out
}

func formatInstances(instances []*metric.InstanceMsg) string {
	var b strings.Builder
	for _, instance := range instances {
		b.WriteString(fmt.Sprintf("'%s':\n  {\n\t\tValue = %v\n\t\tDimensions = %v\n  }",
			instance.Name, plain(instance.Value), plainAll(instance.Dimensions)))
	}
	return b.String()
}
