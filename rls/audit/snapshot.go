package audit

// The types of this file hold what the catalogues say, one value per row. Object ids are those of the database; 0 as grantee is PUBLIC.

type role struct {
	OID                                                     uint32
	Name                                                    string
	Super, CreateRole, CreateDB, Login, Replication, Bypass bool
	ConnLimit                                               int32
}

type membership struct {
	Role, Member        uint32
	Admin, Inherit, Set bool
}

type schema struct {
	OID   uint32
	Name  string
	Owner uint32
}

type relation struct {
	OID                uint32
	Schema, Bare, Name string // Name is qualified and quoted
	Kind               string // r, p, f, v, m, S as in pg_class.relkind
	Owner              uint32
	Persistence        string // p, u, t
	RowSecurity, Force bool
	Partition          bool
	Invoker            bool   // view with security_invoker
	Definition         string // of a view
	Extension          bool   // belongs to one
}

// table reports whether the relation holds rows of its own.
func (r *relation) table() bool { return r.Kind == "r" || r.Kind == "p" || r.Kind == "f" }

type column struct {
	Relation uint32
	Number   int16
	Name     string
	Type     string
	NotNull  bool
}

type policy struct {
	Relation     uint32
	Name         string
	Permissive   bool
	Command      string // *, r, a, w, d as in pg_policy.polcmd
	Roles        []uint32
	Using, Check string
}

type index struct {
	Relation                                   uint32
	Name                                       string
	Unique, Primary, Exclusion, Valid, Partial bool
	Key                                        []int16 // 0 is an expression
}

type foreignKey struct {
	Name      string
	From, To  uint32
	Key, Refs []int16
	Validated bool
	OnDelete  string // a, r, c, n, d as in pg_constraint.confdeltype
}

type edge struct{ From, To uint32 }

type named struct {
	Relation uint32
	Name     string
}

type function struct {
	OID                uint32
	Name               string
	Owner              uint32
	Definer, Leakproof bool
	Language           string
	Trusted, Trigger   bool
	Config             []string
	Bound              bool   // body parsed when it was made (SQL-standard body)
	Source             string // of a definer function
	Extension          bool
}

type trigger struct {
	Relation uint32
	Name     string
	Function uint32
}

type publication struct {
	Name     string
	All      bool
	Relation uint32
	Filtered bool
}

type foreignServer struct {
	OID   uint32
	Name  string
	Owner uint32
}

type userMapping struct {
	Server string
	User   uint32
}

type defaultGrant struct {
	Owner, Schema, Kind string
	Grantee             uint32
	Privilege           string
}

type grant struct {
	Class     string // relation, schema, database, function, server
	Object    uint32
	Column    int16
	Grantee   uint32
	Privilege string
	Grantable bool
}

type builtinGrant struct {
	Name    string
	Grantee uint32
}

type roleSetting struct {
	Role, Database uint32
	Setting        string // name=value
}

type setting struct{ Name, Value string }

type hbaRule struct {
	Line                                  int32
	Type, Database, User, Address, Method string
}

// server is what the connection is connected to.
type server struct {
	Version          int
	Session, Current string
	DatabaseOID      uint32
	Database         string
	DatabaseOwner    uint32
	ReadsHBA         bool
}

// snapshot is the part of the catalogues that the rules read.
type snapshot struct {
	Server         server
	Settings       []setting
	RoleSettings   []roleSetting
	Roles          []role
	Members        []membership
	Schemas        []schema
	Relations      []relation
	Columns        []column
	Policies       []policy
	Indexes        []index
	ForeignKeys    []foreignKey
	Inherits       []edge // child, parent
	Sequences      []edge // sequence, table
	ViewUses       []edge // view, relation
	RewriteRules   []named
	Functions      []function
	Triggers       []trigger
	EventTriggers  []string
	Publications   []publication
	Slots          []string
	Extensions     []string
	ForeignServers []foreignServer
	UserMappings   []userMapping
	LargeObjects   int64
	Statistics     []named
	Defaults       []defaultGrant
	Grants         []grant
	Builtins       []builtinGrant
	HBA            []hbaRule
}
