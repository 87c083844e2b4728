// SPDX-License-Identifier: Apache-2.0

package aivensim

import (
	"net/http"
	"strings"
)

// route is an operation of the API.
type route struct {
	operation string
	method    string
	segments  []string // a variable begins with ":"
	needs     right
	powered   bool                    // refused while the service is in POWEROFF
	only      func(*serviceType) bool // nil means any type
	handle    func(*Server, *call) (any, *apiError)
}

const (
	pathProject    = "v1/project/:project"
	pathService    = pathProject + "/service/:service"
	pathUser       = pathService + "/user"
	pathOneUser    = pathUser + "/:user"
	pathOpenSearch = pathService + "/opensearch"
	pathKafkaACL   = pathService + "/acl"
	pathNativeACL  = pathService + "/kafka/acl"
	pathSchemaACL  = pathService + "/kafka/schema-registry/acl"
)

var routes = concat(
	[]route{
		get("ListProjects", "v1/project", (*Server).listProjects),
		get("GetProject", pathProject, (*Server).getProject),
		needing(rightCA, get("GetProjectCA", pathProject+"/kms/ca", (*Server).getProjectCA)),
		get("ListServices", pathProject+"/service", (*Server).listServices),
		get("GetService", pathService, (*Server).getService),
	},
	of(nil, rightUsers,
		post("CreateUser", pathUser, (*Server).createUser),
		get("GetUser", pathOneUser, (*Server).getUser),
		put("UpdateUser", pathOneUser, (*Server).updateUser),
		put("ResetCredentials", pathOneUser+"/credentials/reset", (*Server).resetCredentials),
		del("DeleteUser", pathOneUser, (*Server).deleteUser),
	),
	of(func(t *serviceType) bool { return t.openSearch }, rightData,
		get("GetOpenSearchACL", pathOpenSearch+"/acl", (*Server).getOpenSearchACL),
		post("SetOpenSearchACL", pathOpenSearch+"/acl", (*Server).setOpenSearchACL),
		put("UpdateOpenSearchACL", pathOpenSearch+"/acl", (*Server).updateOpenSearchACL),
		get("GetOpenSearchSecurity", pathOpenSearch+"/security", (*Server).getOpenSearchSecurity),
	),
	of(func(t *serviceType) bool { return t.kafka }, rightData,
		get("ListKafkaACL", pathKafkaACL, (*Server).listKafkaACL),
		post("AddKafkaACL", pathKafkaACL, (*Server).addKafkaACL),
		del("DeleteKafkaACL", pathKafkaACL+"/:id", (*Server).deleteKafkaACL),
		get("ListKafkaNativeACL", pathNativeACL, (*Server).listNativeACL),
		post("AddKafkaNativeACL", pathNativeACL, (*Server).addNativeACL),
		get("GetKafkaNativeACL", pathNativeACL+"/:id", (*Server).getNativeACL),
		del("DeleteKafkaNativeACL", pathNativeACL+"/:id", (*Server).deleteNativeACL),
		get("ListSchemaRegistryACL", pathSchemaACL, (*Server).listSchemaACL),
		post("AddSchemaRegistryACL", pathSchemaACL, (*Server).addSchemaACL),
		del("DeleteSchemaRegistryACL", pathSchemaACL+"/:id", (*Server).deleteSchemaACL),
	),
)

func concat(lists ...[]route) []route {
	var out []route
	for _, l := range lists {
		out = append(out, l...)
	}
	return out
}

// of gives routes of a service what they share: the types that have them and the right that their
// writes need. Reading a user needs the right of the users' writes as well. Aiven: GET user asks for
// service:users:write or service:configuration:write.
func of(only func(*serviceType) bool, needs right, list ...route) []route {
	for i := range list {
		write := list[i].method != http.MethodGet
		list[i].only = only
		list[i].powered = write || needs == rightUsers
		if write || needs == rightUsers {
			list[i].needs = needs
		}
	}
	return list
}

func needing(r right, rt route) route {
	rt.needs = r
	return rt
}

type handler = func(*Server, *call) (any, *apiError)

func get(operation, path string, h handler) route {
	return route{operation: operation, method: http.MethodGet, segments: strings.Split(path, "/"), handle: h}
}

func post(operation, path string, h handler) route {
	return route{operation: operation, method: http.MethodPost, segments: strings.Split(path, "/"), handle: h}
}

func put(operation, path string, h handler) route {
	return route{operation: operation, method: http.MethodPut, segments: strings.Split(path, "/"), handle: h}
}

func del(operation, path string, h handler) route {
	return route{operation: operation, method: http.MethodDelete, segments: strings.Split(path, "/"), handle: h}
}
