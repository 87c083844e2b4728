// SPDX-License-Identifier: Apache-2.0

package dashboard

// job is what cluster/install/monitoring/podmonitor.yaml calls the provider.
const job = `job="provider-aiven"`

// Units as Grafana names them.
const (
	count   = "short"
	seconds = "s"
)

// Forecast is the number of users of each service in a week, judged by two days.
const Forecast = `predict_linear(max by (project, service, type) (provider_aiven_service_users)[2d:15m], 7 * 24 * 3600)`

// Rows of the dashboard. Replicas that do not lead have metrics too, of nothing:
// hence the sums.
var Rows = []Row{
	{Title: "Applications", Panels: []Panel{
		{
			Title: "Applications by reason", Kind: Lines, Unit: count, Stacked: true, Width: 10,
			Description: "Available means that the Secrets hold working credentials. The runbook explains the other reasons.",
			Queries:     []Query{{`sum by (ready, reason) (provider_aiven_applications)`, "{{reason}}"}},
		},
		{
			Title: "Time to the first Secret", Kind: Lines, Unit: seconds, Width: 8,
			Description: "From the creation of an application to its first complete Secrets.",
			Queries: []Query{
				{`histogram_quantile(0.5, sum by (le) (rate(provider_aiven_application_first_secret_seconds_bucket[$__rate_interval])))`, "half"},
				{`histogram_quantile(0.95, sum by (le) (rate(provider_aiven_application_first_secret_seconds_bucket[$__rate_interval])))`, "95 of 100"},
			},
		},
		{
			Title: "Ready", Kind: Number, Unit: "percentunit", Width: 6,
			Description: "Share of the applications that are ready.",
			Queries:     []Query{{`sum(provider_aiven_applications{ready="true"}) / sum(provider_aiven_applications)`, ""}},
		},
		{
			Title: "Not ready for longest", Kind: Table, Unit: seconds, Width: 12,
			Description: "Those whose access has ended are left out: that was asked for.",
			Queries:     []Query{{`topk(10, time() - min by (namespace, name, reason) (provider_aiven_application_not_ready_since_timestamp_seconds{reason!="Expired"}))`, ""}},
		},
		{
			Title: "Alerts", Kind: Table, Unit: count, Width: 12,
			Description: "Those of cluster/install/monitoring/rules.yaml that fire.",
			Queries:     []Query{{`count by (severity, alertname) (ALERTS{alertname=~"Aiven.+", alertstate="firing"})`, ""}},
		},
	}},
	{Title: "Rotation", Panels: []Panel{
		{
			Title: "Published revisions by reason", Kind: Lines, Unit: count, Stacked: true, Width: 10,
			Description: "A rise of UserVanished or SecretDeleted is somebody at work.",
			Queries:     []Query{{`sum by (reason) (increase(provider_aiven_application_rotations_total[$__rate_interval]))`, "{{reason}}"}},
		},
		{
			Title: "Due within a day, and overdue", Kind: Number, Unit: count, Width: 6,
			Description: "Overdue is what has been due for more than an hour.",
			Queries: []Query{
				{`count(max by (namespace, name) (provider_aiven_application_rotation_due_timestamp_seconds) - time() < 86400) or vector(0)`, "due within a day"},
				{`sum(provider_aiven_rotations_overdue)`, "overdue"},
			},
		},
		{
			Title: "First to end", Kind: Table, Unit: seconds, Width: 8,
			Description: "Time that is left until the certificate or the access of an application ends.",
			Queries: []Query{
				{`bottomk(5, min by (namespace, name) (provider_aiven_application_certificate_not_after_timestamp_seconds) - time())`, ""},
				{`bottomk(5, min by (namespace, name) (provider_aiven_application_expires_timestamp_seconds) - time())`, ""},
			},
		},
	}},
	{Title: "Services and configurations", Panels: []Panel{
		{
			Title: "Users and limit by service", Kind: Lines, Unit: count, Width: 8,
			Description: "A rotation needs a second user for each that is there, for as long as the overlap.",
			Queries: []Query{
				{`max by (project, service) (provider_aiven_service_users)`, "{{project}}/{{service}}"},
				{`max by (project, service) (provider_aiven_service_users_limit)`, "limit of {{project}}/{{service}}"},
			},
		},
		{
			Title: "Share of the limit, now and in a week", Kind: Bars, Unit: "percentunit", Width: 8,
			Description: "The forecast is a straight line through the last two days.",
			Queries: []Query{
				{`max by (project, service, type) (provider_aiven_service_users) / max by (project, service, type) (provider_aiven_service_users_limit)`, "{{project}}/{{service}} now"},
				{Forecast + ` / max by (project, service, type) (provider_aiven_service_users_limit)`, "{{project}}/{{service}} in a week"},
			},
		},
		{
			Title: "Users that nothing claims", Kind: Lines, Unit: count, Width: 8,
			Description: "Proven ones were made by this cluster.",
			Queries: []Query{
				{`sum by (project, service, proven) (provider_aiven_orphaned_users)`, "{{project}}/{{service}}, proven: {{proven}}"},
				{`sum by (project, service) (increase(provider_aiven_orphans_deleted_total[$__rate_interval]))`, "deleted from {{project}}/{{service}}"},
			},
		},
		{
			Title: "Health of configurations", Kind: Table, Unit: count, Width: 12,
			Description: "1: Aiven accepts the token, and all projects are in its reach.",
			Queries:     []Query{{`max by (kind, namespace, name, reason) (provider_aiven_config_healthy)`, ""}},
		},
		{
			Title: "Decisions of the janitor", Kind: Lines, Unit: count, Stacked: true, Width: 12,
			Description: "About published Secrets that no application names.",
			Queries:     []Query{{`sum by (action, reason) (increase(provider_aiven_janitor_decisions_total[$__rate_interval]))`, "{{action}}: {{reason}}"}},
		},
	}},
	{Title: "Calls to Aiven", Panels: []Panel{
		{
			Title: "Calls by operation", Kind: Lines, Unit: "reqps", Stacked: true, Width: 8,
			Description: "At rest they grow with services, not with users.",
			Queries:     []Query{{`sum by (operation) (rate(provider_aiven_aiven_calls_total[$__rate_interval]))`, "{{operation}}"}},
		},
		{
			Title: "Calls that failed, by code", Kind: Lines, Unit: "reqps", Stacked: true, Width: 8,
			Description: "429: too many calls. 0: no answer.",
			Queries:     []Query{{`sum by (code) (rate(provider_aiven_aiven_calls_total{code!~"2.."}[$__rate_interval]))`, "{{code}}"}},
		},
		{
			Title: "Latency, 95 of 100", Kind: Lines, Unit: seconds, Width: 8,
			Description: "Without the wait for the limiter.",
			Queries:     []Query{{`histogram_quantile(0.95, sum by (le, operation) (rate(provider_aiven_aiven_call_duration_seconds_bucket[$__rate_interval])))`, "{{operation}}"}},
		},
		{
			Title: "Wait for the limiter, 90 of 100", Kind: Lines, Unit: seconds, Width: 12,
			Description: "edit: what a person waits for. routine: rotations, repairs and deletions. background: what keeps the picture of services fresh.",
			Queries:     []Query{{`histogram_quantile(0.9, sum by (le, class) (rate(provider_aiven_aiven_limiter_wait_seconds_bucket[$__rate_interval])))`, "{{class}}"}},
		},
		{
			Title: "Bytes", Kind: Lines, Unit: "Bps", Width: 12,
			Description: "Of the bodies of requests and answers.",
			Queries:     []Query{{`sum by (direction) (rate(provider_aiven_aiven_bytes_total[$__rate_interval]))`, "{{direction}}"}},
		},
	}},
	{Title: "Provider", Panels: []Panel{
		{
			Title: "Reconciles", Kind: Lines, Unit: "ops", Width: 8,
			Description: "By controller, and those that failed.",
			Queries: []Query{
				{`sum by (controller) (rate(controller_runtime_reconcile_total{` + job + `}[$__rate_interval]))`, "{{controller}}"},
				{`sum by (controller) (rate(controller_runtime_reconcile_errors_total{` + job + `}[$__rate_interval]))`, "{{controller}}, failed"},
			},
		},
		{
			Title: "Length of work queues", Kind: Lines, Unit: count, Width: 8,
			Description: "Objects that wait for a worker.",
			Queries:     []Query{{`sum by (controller) (workqueue_depth{` + job + `})`, "{{controller}}"}},
		},
		{
			Title: "Wait in work queues, 90 of 100", Kind: Lines, Unit: seconds, Width: 8,
			Description: "And the longest that a worker is at one object.",
			Queries: []Query{
				{`histogram_quantile(0.9, sum by (controller, le) (rate(workqueue_queue_duration_seconds_bucket{` + job + `}[$__rate_interval])))`, "{{controller}}"},
				{`max(workqueue_longest_running_processor_seconds{` + job + `})`, "longest at work"},
			},
		},
		{
			Title: "Managed resources", Kind: Lines, Unit: count, Width: 8,
			Description: "What exists and is not ready or not synced is being made, deleted, or in trouble.",
			Queries: []Query{
				{`sum(max by (gvk) (crossplane_managed_resource_exists{gvk=~"aiven.nais.io/.+"}))`, "exist"},
				{`sum(max by (gvk) (crossplane_managed_resource_ready{gvk=~"aiven.nais.io/.+"}))`, "ready"},
				{`sum(max by (gvk) (crossplane_managed_resource_synced{gvk=~"aiven.nais.io/.+"}))`, "synced"},
			},
		},
		{
			Title: "Memory", Kind: Lines, Unit: "bytes", Width: 6,
			Description: "Resident memory and the heap in use of each replica.",
			Queries: []Query{
				{`process_resident_memory_bytes{` + job + `}`, "{{instance}}"},
				{`go_memstats_heap_inuse_bytes{` + job + `}`, "{{instance}}, heap"},
			},
		},
		{
			Title: "CPU", Kind: Lines, Unit: "none", Width: 6,
			Description: "Cores that each replica uses.",
			Queries:     []Query{{`rate(process_cpu_seconds_total{` + job + `}[$__rate_interval])`, "{{instance}}"}},
		},
		{
			Title: "Replicas", Kind: Number, Unit: count, Width: 4,
			Description: "One of those that answer leads.",
			Queries: []Query{
				{`sum(up{` + job + `})`, "answer"},
				{`sum(leader_election_master_status{name="crossplane-leader-election-provider-aiven"})`, "lead"},
			},
		},
		{
			Title: "Missing rights", Kind: Table, Unit: count, Width: columns,
			Description: "What the provider may not do in the cluster, and what it needs it for. With all roles that it ships with this is empty.",
			Queries:     []Query{{`max by (feature, verb, resource, namespace) (provider_aiven_missing_rights)`, ""}},
		},
	}},
}
