// SPDX-License-Identifier: Apache-2.0

// Package dashboard makes the Grafana dashboard. After a change to it, write the
// file with: go test ./test/monitoring/dashboard -update
package dashboard

import (
	"bytes"
	"encoding/json"

	"github.com/pkg/errors"
)

// A Panel shows the answers to queries.
type Panel struct {
	Title string
	// Description says what to make of it.
	Description string
	// Kind of the panel.
	Kind Kind
	// Unit of the values, as Grafana names it.
	Unit string
	// Stacked draws the series on top of one another.
	Stacked bool
	// Width in columns, of which there are 24.
	Width   int
	Queries []Query
}

// A Query asks Prometheus.
type Query struct {
	Expr string
	// Legend of a series, with its labels in double braces.
	Legend string
}

// A Kind of panel, as Grafana names it.
type Kind string

// The kinds of panels.
const (
	Lines  Kind = "timeseries"
	Number Kind = "stat"
	Bars   Kind = "bargauge"
	Table  Kind = "table"
)

// A Row of panels that belong together.
type Row struct {
	Title  string
	Panels []Panel
}

const (
	columns = 24
	height  = 8
)

type object = map[string]any

// datasource is the one that is chosen at the top of the dashboard.
var datasource = source{Type: "prometheus", UID: "${datasource}"}

type source struct {
	Type string `json:"type"`
	UID  string `json:"uid"`
}

// JSON returns the dashboard as Grafana imports it.
func JSON() ([]byte, error) {
	var panels []object
	y := 0
	for _, r := range Rows {
		panels = append(panels, object{
			"id": len(panels) + 1, "type": "row", "title": r.Title, "collapsed": false, "panels": []object{},
			"gridPos": object{"x": 0, "y": y, "w": columns, "h": 1},
		})
		y++
		x := 0
		for _, p := range r.Panels {
			if x+p.Width > columns {
				x, y = 0, y+height
			}
			panels = append(panels, p.object(len(panels)+1, object{"x": x, "y": y, "w": p.Width, "h": height}))
			x += p.Width
		}
		y += height
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(object{
		"uid": "provider-aiven", "title": "provider-aiven", "tags": []string{"aiven", "crossplane"}, "schemaVersion": 39, "version": 1,
		"editable": true, "graphTooltip": 1, "refresh": "1m", "timezone": "browser", "time": object{"from": "now-6h", "to": "now"},
		"annotations": object{"list": []object{}},
		"templating": object{"list": []object{{
			"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "current": object{}, "options": []object{},
		}}},
		"links": []object{{
			"title": "Runbook", "type": "link", "icon": "doc", "targetBlank": true,
			"url": "https://github.com/provider-aiven/provider-aiven/blob/main/docs/runbook.md",
		}},
		"panels": panels,
	})
	return b.Bytes(), errors.Wrap(err, "cannot encode dashboard")
}

func (p Panel) object(id int, place object) object {
	custom := object{}
	if p.Kind == Lines {
		custom["fillOpacity"], custom["showPoints"] = 10, "never"
	}
	if p.Stacked {
		custom["stacking"] = object{"mode": "normal", "group": "A"}
	}
	var targets []object
	for i, q := range p.Queries {
		t := object{"refId": string(rune('A' + i)), "datasource": datasource, "expr": q.Expr, "legendFormat": q.Legend}
		if p.Kind != Lines {
			t["instant"] = true
		}
		if p.Kind == Table {
			t["format"] = "table"
		}
		targets = append(targets, t)
	}
	out := object{
		"id": id, "type": p.Kind, "title": p.Title, "description": p.Description, "gridPos": place, "datasource": datasource, "targets": targets,
		"fieldConfig": object{"defaults": object{"unit": p.Unit, "custom": custom}, "overrides": []object{}},
	}
	if p.Kind == Table {
		// Prometheus' answer has the time of the query in each line.
		out["transformations"] = []object{
			{"id": "merge", "options": object{}},
			{"id": "organize", "options": object{"excludeByName": object{"Time": true}}},
		}
	}
	return out
}
