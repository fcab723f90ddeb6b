; @definition.KIND spans the definition, @name is its name, @scope its owner when that is not the enclosing definition.
; @doc is a comment or attribute that belongs to what starts on the next line, when it stands alone on its line;
; @lead does so in any case.
(function_definition name: (identifier) @name) @definition.function
(class_definition name: (identifier) @name) @definition.class
(type_alias_statement left: (type (identifier) @name)) @definition.type
(module (expression_statement (assignment left: (identifier) @name)) @definition.variable)
(comment) @doc
(decorator) @doc
